"""The assigner against the published algorithm, written out with loops."""

from __future__ import annotations

import pytest
import torch
from edgectl_rtmdet.assigner import assign
from edgectl_rtmdet.decode import flatten
from edgectl_rtmdet.loss import RtmdetCriterion
from torch.nn import functional as F

from edgectl.labels import Targets
from edgectl.nn.boxes import iou


def heads(images, classes, size, seed):
    g = torch.Generator().manual_seed(seed)
    grids = [size // s for s in (8, 16, 32)]
    logits = [torch.randn(images, classes, n, n, generator=g) for n in grids]
    distances = [torch.rand(images, 4, n, n, generator=g) * 3 for n in grids]
    return [*logits, *distances]


def random_targets(counts, classes, size, seed):
    g = torch.Generator().manual_seed(seed)
    boxes, labels = [], []
    for n in counts:
        corner = torch.rand(n, 2, generator=g) * size * 0.7
        boxes.append(torch.cat([corner, corner + 6 + torch.rand(n, 2, generator=g) * 50], dim=1))
        labels.append(torch.randint(0, classes, (n,), generator=g))
    return Targets(boxes, labels)


def one_image(found, i, boxes, labels):
    """{prior: (object, overlap)} by the steps of the paper."""
    points, logits = found.points, found.classes[i]
    inside = [any((p > b[:2]).all() and (p < b[2:]).all() for b in boxes) for p in points]
    valid = [p for p in range(len(points)) if inside[p]]
    cost, overlap = {}, {}
    for p in valid:
        for m, (box, label) in enumerate(zip(boxes, labels, strict=True)):
            u = iou(found.boxes[i, p], box)
            wanted = F.one_hot(label, logits.shape[1]).float() * u
            bce = F.binary_cross_entropy_with_logits(logits[p], wanted, reduction="none")
            classes = (bce * (wanted - logits[p].sigmoid()) ** 2).sum()
            center = (box[:2] + box[2:]) / 2
            far = (points[p] - center).norm() / found.strides[p]
            cost[p, m] = float(classes - 3 * (u + 1e-7).log() + 10 ** (far - 3))
            overlap[p, m] = float(u)
    claims = {}
    for m in range(len(boxes)):
        best = sorted((overlap[p, m] for p in valid), reverse=True)[:13]
        k = max(1, int(sum(best)))
        for p in sorted(valid, key=lambda p: cost[p, m])[:k]:
            claims.setdefault(p, []).append(m)
    return {p: (m := min(ms, key=lambda m: cost[p, m]), overlap[p, m]) for p, ms in claims.items()}


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_algorithm_written_out(seed):
    found = flatten(heads(3, 4, 96, seed), exp_on_reg=False)
    targets = random_targets([3, 0, 5], 4, 96, seed)
    got = assign(found, targets)
    for i, (boxes, labels) in enumerate(zip(targets.boxes_xyxy, targets.labels, strict=True)):
        wanted = one_image(found, i, boxes, labels)
        assert got.positive[i].nonzero()[:, 0].tolist() == sorted(wanted)
        for p, (m, u) in wanted.items():
            assert got.labels[i, p] == labels[m]
            assert torch.equal(got.boxes[i, p], boxes[m])
            assert float(got.quality[i, p]) == pytest.approx(u, abs=1e-5)


def test_no_loop_over_objects_is_needed_for_five_hundred():
    found = flatten(heads(2, 2, 192, 0), exp_on_reg=False)
    got = assign(found, random_targets([500, 1], 2, 192, 0))
    assert got.positive[0].sum() > 100
    assert 1 <= got.positive[1].sum() <= 13


def test_a_image_without_objects_has_no_positives():
    found = flatten(heads(2, 2, 64, 0), exp_on_reg=False)
    got = assign(found, random_targets([0, 0], 2, 64, 0))
    assert not got.positive.any()
    assert not got.quality.any()


@pytest.mark.parametrize("counts", [[0, 0], [2, 0]])
def test_loss_is_finite_and_differentiable(counts):
    outputs = [h.requires_grad_() for h in heads(2, 2, 64, 1)]
    criterion = RtmdetCriterion(exp_on_reg=False, offset=0.0, class_weight=1.0, box_weight=2.0)
    losses = criterion(outputs, random_targets(counts, 2, 64, 1))
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    assert all(o.grad is not None and o.grad.isfinite().all() for o in outputs)


def test_a_box_of_one_pixel_between_the_priors_is_skipped_not_fatal():
    outputs = [h.requires_grad_() for h in heads(1, 2, 64, 1)]
    targets = Targets([torch.tensor([[3.0, 3.0, 4.0, 4.0]])], [torch.tensor([0])])
    losses = RtmdetCriterion(exp_on_reg=False, offset=0.0, class_weight=1.0, box_weight=2.0)(
        outputs, targets
    )
    losses["loss"].backward()
    assert float(losses["loss_box"].detach()) == 0
    assert losses["loss"].isfinite()


def test_quality_focal_loss_by_hand():
    """No object: sum of softplus(x) * sigmoid(x)^2 over everything, divided by 1."""
    outputs = heads(1, 1, 32, 3)
    targets = Targets([torch.zeros(0, 4)], [torch.zeros(0, dtype=torch.int64)])
    losses = RtmdetCriterion(exp_on_reg=False, offset=0.0, class_weight=1.0, box_weight=2.0)(
        outputs, targets
    )
    x = torch.cat([o.flatten() for o in outputs[:3]])
    assert float(losses["loss_cls"]) == pytest.approx(
        float((F.softplus(x) * x.sigmoid() ** 2).sum()), rel=1e-5
    )
