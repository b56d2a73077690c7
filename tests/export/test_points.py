"""Points moved into the middle of their cells: the same boxes, from other numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgectl.errors import UsageError
from edgectl.export.points import move_points
from edgectl.nn.boxes import distances_to_boxes, grid_points
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.trained import TrainedModel
from edgectl.spec import OutputSpec, PreprocessSpec

SIZE, STRIDE = (32, 48), 8


class Boxes(nn.Module):
    """A head of sides at stride 8; ``clamped`` keeps them above zero."""

    def __init__(self, clamped=False):
        super().__init__()
        self.body = nn.Conv2d(3, 6, STRIDE, STRIDE)
        self.sides = nn.Conv2d(6, 4, 1)
        self.clamped = clamped

    def forward(self, x):
        y = self.sides(self.body(x))
        return (y.relu() if self.clamped else y,)


def trained(model, kind="box_distances", outputs=None):
    outputs = outputs or (OutputSpec("box", kind, STRIDE, 4),)
    checkpoint = Checkpoint(
        "toy", "s", "detection", {}, ("a",), PreprocessSpec(SIZE), outputs, {}, 1, {}, {}
    )
    return TrainedModel(Path("best.pt"), checkpoint, None, None, None, model.eval())


def _boxes(model, image, offset):
    (raw,) = model(image)
    height, width = raw.shape[2:]
    points = grid_points(height, width, STRIDE, offset=offset, like=raw)
    return distances_to_boxes(points, raw.flatten(2).transpose(1, 2) * STRIDE)


@pytest.fixture
def made():
    torch.manual_seed(0)
    return trained(Boxes())


def test_the_boxes_stay(made):
    before = made.model.sides.bias.clone()
    moved = move_points(made, 0.5)
    assert moved.outputs[0].offset == 0.5 and made.outputs[0].offset == 0.0
    image = torch.rand(1, 3, *SIZE)
    torch.testing.assert_close(_boxes(moved.model, image, 0.5), _boxes(made.model, image, 0.0))
    # left and top half a cell longer, right and bottom half a cell shorter
    assert torch.equal(moved.model.sides.bias, before + torch.tensor([0.5, 0.5, -0.5, -0.5]))
    assert torch.equal(made.model.sides.bias, before)
    assert move_points(moved, 0.5) is moved


@pytest.mark.parametrize(
    ("model", "kind"), [(Boxes(), "box_log_distances"), (Boxes(clamped=True), "box_distances")]
)
def test_where_no_constant_does_it(model, kind):
    with pytest.raises(UsageError, match="cannot be moved exactly"):
        move_points(trained(model, kind), 0.5)


def test_without_boxes():
    with pytest.raises(UsageError, match="no boxes"):
        move_points(trained(Boxes(), outputs=(OutputSpec("y", "class_logits", 0, 4),)), 0.5)
