"""The distance of heads counts what a detector would find."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgectl.qat.distill import head_distance
from edgectl.spec import OutputSpec

CLASSES = OutputSpec("cls_8", "class_logits", 8, 2, "sigmoid")
BOXES = OutputSpec("box_8", "box_distances", 8, 4)
CENTRES = OutputSpec("ctr_8", "centerness_logits", 8, 1, "sigmoid")
DETECTOR = (CLASSES, BOXES, CENTRES)


def teacher() -> list[Tensor]:
    """One object, in cell (1, 1); background everywhere else."""
    logits = torch.full((1, 2, 4, 4), -8.0)
    logits[0, 1, 1, 1] = 3.0
    return [logits, torch.ones(1, 4, 4, 4), torch.zeros(1, 1, 4, 4)]


def moved(head: int, row: int, column: int, by: float) -> Tensor:
    heads = teacher()
    heads[head][0, :, row, column] += by
    return head_distance(heads, teacher(), DETECTOR)


def test_equal_heads_have_no_distance() -> None:
    assert float(head_distance(teacher(), teacher(), DETECTOR)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("head", range(3))
def test_errors_count_where_the_teacher_sees_something(head: int) -> None:
    on_object, on_background = moved(head, 1, 1, -0.5), moved(head, 3, 3, -0.5)
    assert float(on_object) > 20 * float(on_background) > 0


def test_background_that_becomes_an_object_counts() -> None:
    assert float(moved(0, 3, 3, 8.0)) > float(moved(0, 1, 1, -1.0))


def test_the_gradient_leads_back() -> None:
    heads = [h + 0.3 * torch.randn(h.shape, generator=torch.manual_seed(0)) for h in teacher()]
    before = float(head_distance(heads, teacher(), DETECTOR))
    leaves = [h.requires_grad_() for h in heads]
    gradients = torch.autograd.grad(head_distance(leaves, teacher(), DETECTOR), leaves)
    after = head_distance(
        [h - 0.1 * g for h, g in zip(leaves, gradients, strict=True)], teacher(), DETECTOR
    )
    assert float(after.detach()) < before


def test_whole_images_and_cells_with_a_background() -> None:
    classes = OutputSpec("logits", "class_logits", 0, 3, "softmax")
    wanted = torch.tensor([[4.0, 0.0, -1.0]])
    shifted = head_distance([wanted + 5.0], [wanted], [classes])
    assert float(shifted) == pytest.approx(0.0, abs=1e-6), "softmax ignores a common shift"
    assert float(head_distance([-wanted], [wanted], [classes])) > 1.0

    cells = OutputSpec("cells", "cell_logits", 8, 2, "sigmoid")
    background = torch.tensor([6.0, -6.0]).reshape(1, 2, 1, 1).repeat(1, 1, 4, 4)
    assert torch.isfinite(head_distance([background + 0.1], [background], [cells]))
