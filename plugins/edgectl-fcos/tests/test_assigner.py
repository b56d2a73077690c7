"""Both assigners against their published rules, written out with loops."""

from __future__ import annotations

import math

import pytest
import torch
from edgectl_fcos.assigner import assign, centerness
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.decode import flatten
from edgectl_fcos.head import STRIDES
from edgectl_fcos.loss import FcosCriterion
from torch.nn import functional as F

from edgectl.labels import Targets
from edgectl.nn.boxes import generalized_iou, iou

RANGES = ((-1, 64), (64, 128), (128, 256), (256, 512), (512, math.inf))


def read_as(config):
    return {"offset": config.point_offset, "logarithms": not config.norm_on_bbox}


def heads(images, classes, size, seed):
    g = torch.Generator().manual_seed(seed)
    grids = [size // s for s in STRIDES]
    logits = [torch.randn(images, classes, n, n, generator=g) for n in grids]
    distances = [torch.rand(images, 4, n, n, generator=g) * 6 for n in grids]
    middles = [torch.randn(images, 1, n, n, generator=g) for n in grids]
    return [*logits, *distances, *middles]


def random_targets(counts, classes, size, seed):
    g = torch.Generator().manual_seed(seed)
    boxes, labels = [], []
    for n in counts:
        corner = torch.rand(n, 2, generator=g) * size * 0.6
        side = 10 + torch.rand(n, 2, generator=g) ** 2 * size
        boxes.append(torch.cat([corner, (corner + side).clamp_max(size)], dim=1))
        labels.append(torch.randint(0, classes, (n,), generator=g))
    return Targets(boxes, labels)


def by_range(found, boxes, *, radius):
    """{prior: object} by the rules of the paper."""
    level_of = [level for level, n in enumerate(found.sizes) for _ in range(n)]
    result = {}
    for p, (x, y) in enumerate(found.points.tolist()):
        low, high = RANGES[level_of[p]]
        best = None
        for m, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
            sides = (x - x0, y - y0, x1 - x, y1 - y)
            if min(sides) <= 0 or not low < max(sides) <= high:
                continue
            off = max(abs(x - (x0 + x1) / 2), abs(y - (y0 + y1) / 2))
            if radius is not None and off >= radius * STRIDES[level_of[p]]:
                continue
            area = (x1 - x0) * (y1 - y0)
            if best is None or area < best[0]:
                best = (area, m)
        if best is not None:
            result[p] = best[1]
    return result


def by_cost(found, i, boxes, labels):
    """{prior: object} by SimOTA's steps; the cost of a pair is that of the losses."""
    logits, points = found.classes[i], found.points
    cost, overlap = {}, {}
    for p in range(len(points)):
        for m, (box, label) in enumerate(zip(boxes, labels, strict=True)):
            if not ((points[p] > box[:2]).all() and (points[p] < box[2:]).all()):
                continue
            wanted = F.one_hot(label, logits.shape[1]).float()
            score = logits[p].sigmoid()
            right = torch.where(wanted == 1, score, 1 - score)
            alpha = torch.where(wanted == 1, 0.25, 0.75)
            focal = (alpha * (1 - right) ** 2 * -right.log()).sum()
            gap = 1 - generalized_iou(found.boxes[i, p], box)
            cost[p, m] = float(focal + 2 * gap)
            overlap[p, m] = float(iou(found.boxes[i, p], box))
    claims = {}
    for m in range(len(boxes)):
        mine = [p for p, other in cost if other == m]
        k = max(1, int(sum(sorted((overlap[p, m] for p in mine), reverse=True)[:10])))
        for p in sorted(mine, key=lambda p: cost[p, m])[:k]:
            claims.setdefault(p, []).append(m)
    return {p: min(ms, key=lambda m: cost[p, m]) for p, ms in claims.items()}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius", [None, 1.5, 2.5])
def test_ranges_equal_the_rules_written_out(seed, radius):
    config = FcosConfig(
        assigner="ranges", center_sampling=radius is not None, center_radius=radius or 1.5
    )
    found = flatten(heads(2, 3, 640, seed), **read_as(config))
    targets = random_targets([9, 4], 3, 640, seed)
    got = assign(found, targets, config)
    levels_used = set()
    for i, boxes in enumerate(targets.boxes_xyxy):
        wanted = by_range(found, boxes, radius=radius)
        assert got.positive[i].nonzero()[:, 0].tolist() == sorted(wanted)
        for p, m in wanted.items():
            assert torch.equal(got.boxes[i, p], boxes[m])
            assert got.labels[i, p] == targets.labels[i][m]
            levels_used.add(float(found.strides[p]))
    assert len(levels_used) >= 4


@pytest.mark.parametrize("seed", range(3))
def test_dynamic_equals_the_steps_written_out(seed):
    config = FcosConfig()
    found = flatten(heads(3, 4, 128, seed), **read_as(config))
    targets = random_targets([3, 0, 5], 4, 128, seed)
    got = assign(found, targets, config)
    for i, (boxes, labels) in enumerate(zip(targets.boxes_xyxy, targets.labels, strict=True)):
        wanted = by_cost(found, i, boxes, labels)
        assert got.positive[i].nonzero()[:, 0].tolist() == sorted(wanted)
        for p, m in wanted.items():
            assert torch.equal(got.boxes[i, p], boxes[m])
            assert got.labels[i, p] == labels[m]
            overlap = float(iou(found.boxes[i, p], boxes[m]))
            assert float(got.centerness[i, p]) == pytest.approx(overlap, abs=1e-6)


@pytest.mark.parametrize(
    ("point", "wanted"),
    # in the box 0 0 40 20: sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b))
    [((20, 10), 1.0), ((10, 10), math.sqrt(10 / 30)), ((10, 4), math.sqrt(10 / 30 * 4 / 16))],
)
def test_centerness(point, wanted):
    box = torch.tensor([0.0, 0.0, 40.0, 20.0])
    assert float(centerness(torch.tensor(point).float(), box)) == pytest.approx(wanted)


def test_ranges_take_geometric_centerness():
    config = FcosConfig(assigner="ranges")
    found = flatten(heads(1, 2, 128, 0), **read_as(config))
    targets = Targets([torch.tensor([[8.0, 16.0, 48.0, 40.0]])], [torch.tensor([1])])
    got = assign(found, targets, config)
    p = int(((found.points == torch.tensor([20.0, 28.0])).all(dim=1)).nonzero()[0])
    # sides 12, 12, 28, 12
    assert float(got.centerness[0, p]) == pytest.approx(math.sqrt(12 / 28))


@pytest.mark.parametrize("assigner", ["ranges", "dynamic"])
@pytest.mark.parametrize("box_loss", ["iou", "giou"])
@pytest.mark.parametrize("counts", [[0, 0], [2, 0]])
def test_loss_is_finite_and_differentiable(assigner, box_loss, counts):
    outputs = [h.requires_grad_() for h in heads(2, 2, 128, 1)]
    criterion = FcosCriterion(FcosConfig(assigner=assigner, box_loss=box_loss))
    losses = criterion(outputs, random_targets(counts, 2, 128, 1))
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    assert all(o.grad is not None and o.grad.isfinite().all() for o in outputs)


def test_exact_boxes_cost_nothing():
    """Distances that meet the object exactly: no box loss, by either formula."""
    target = torch.tensor([8.0, 16.0, 56.0, 72.0])
    for box_loss in ("iou", "giou"):
        config = FcosConfig(box_loss=box_loss)
        outputs = heads(1, 2, 128, 0)
        points = flatten(outputs, **read_as(config)).points
        sides = torch.cat([points - target[:2], target[2:] - points], dim=1)
        first = 0
        for level, stride in enumerate(STRIDES):
            n = 128 // stride
            part = sides[first : first + n * n] / stride
            outputs[5 + level] = part.T.reshape(1, 4, n, n).clamp_min(0)
            first += n * n
        losses = FcosCriterion(config)(outputs, Targets([target[None]], [torch.tensor([1])]))
        assert float(losses["loss_box"]) == pytest.approx(0, abs=1e-5)


def test_focal_loss_of_an_empty_image():
    """No object: the sum of .75 * softplus(x) * sigmoid(x)^2, divided by 1."""
    outputs = heads(1, 1, 128, 3)
    targets = Targets([torch.zeros(0, 4)], [torch.zeros(0, dtype=torch.int64)])
    losses = FcosCriterion(FcosConfig())(outputs, targets)
    x = torch.cat([o.flatten() for o in outputs[:5]])
    wanted = float((0.75 * F.softplus(x) * x.sigmoid() ** 2).sum())
    assert float(losses["loss_cls"]) == pytest.approx(wanted, rel=1e-5)
    assert float(losses["loss_box"]) == float(losses["loss_ctr"]) == 0
