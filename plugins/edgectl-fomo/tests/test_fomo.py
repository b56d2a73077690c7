from __future__ import annotations

import numpy as np
import pytest
import torch
from edgectl_fomo.assigner import assign_cells
from edgectl_fomo.config import FomoConfig
from edgectl_fomo.model import FomoFamily
from edgectl_fomo.plugin import edgectl_register_families
from edgectl_fomo.postprocess import FomoPostprocess
from torch.utils.flop_counter import FlopCounterMode

from edgectl.labels import Targets
from edgectl.nn.mobilenetv2 import make_divisible
from edgectl.quant.graph.trace import trace

FAMILY = FomoFamily()
VARIANTS = [v.name for v in edgectl_register_families()[0].variants]
NOTHING = (torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def build(variant, num_classes=2):
    config = FomoConfig(**FAMILY.presets(variant)["model"])
    return config, FAMILY.build(config, num_classes=num_classes)


def targets(*images):
    return Targets([p[0] for p in images], [p[1] for p in images])


def centered(*objects):
    """Boxes of 6 px around (x, y) with a label."""
    boxes = torch.tensor([[x - 3, y - 3, x + 3, y + 3] for x, y, _ in objects])
    return boxes.float(), torch.tensor([label for *_, label in objects])


@pytest.mark.parametrize(
    ("variant", "kparams", "mmacs", "grid"),
    [
        ("mobilenetv2_0.1_x8", 8.1, 14.47, 24),
        ("mobilenetv2_0.35_x8", 15.1, 21.31, 24),
        ("mobilenetv2_1.0_x16", 552.2, 155.55, 12),
    ],
)
def test_published_sizes(variant, kparams, mmacs, grid):
    _, model = build(variant)
    assert sum(p.numel() for p in model.parameters()) / 1e3 == pytest.approx(kparams, abs=0.06)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        (logits,) = model.eval()(torch.zeros(1, 3, 192, 192))
    assert counter.get_total_flops() / 2e6 == pytest.approx(mmacs, abs=0.006)
    assert logits.shape == (1, 3, grid, grid)


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_contract(variant):
    config, model = build(variant, num_classes=4)
    (spec,) = FAMILY.outputs(config, num_classes=4)
    (logits,) = model.eval()(torch.zeros(2, 3, 96, 64))
    assert logits.shape == (2, spec.channels, 96 // spec.stride, 64 // spec.stride)


@pytest.mark.parametrize(("channels", "expected"), [(3.2, 8), (11.2, 16), (8.4, 8), (32, 32)])
def test_make_divisible(channels, expected):
    assert make_divisible(channels) == expected


# (x, y) at stride 8 on 192 px: correct (row, column), SSCMA's shifted one
CELLS = [
    ((4, 4), (0, 0), (23, 23)),
    ((12, 12), (1, 1), (0, 0)),
    ((96, 96), (12, 12), (11, 11)),
    ((191, 191), (23, 23), (22, 22)),
    ((3, 100), (12, 0), (11, 23)),
]


@pytest.mark.parametrize(("point", "cell", "shifted"), CELLS)
def test_cell_targets(point, cell, shifted):
    truth = targets(centered((*point, 1)))
    for wanted, shift in ((cell, False), (shifted, True)):
        cells = assign_cells(truth, (24, 24), 8, shift=shift).cells[0]
        assert cells.nonzero().tolist() == [list(wanted)]
        assert cells[wanted] == 2


def test_the_smaller_of_two_in_a_cell_keeps_it():
    boxes = torch.tensor([[10.0, 10, 14, 14], [0, 0, 24, 24]])
    assigned = assign_cells(targets((boxes, torch.tensor([0, 1]))), (4, 4), 8)
    assert assigned.cells[0, 1, 1] == 1


def test_closeness_falls_with_distance_and_grows_with_size():
    small, large = (torch.tensor([[20.0 - h, 20 - h, 20 + h, 20 + h]]) for h in (3, 18))
    label = torch.tensor([0])
    truth = targets((small, label), (large, label), NOTHING)
    closeness = assign_cells(truth, (6, 6), 8, spread=0.25).closeness
    assert closeness[0, 2, 2] == 1.0
    assert closeness[0, 2, 3] == pytest.approx(np.exp(-1 / (2 * 0.6**2)))
    assert closeness[1, 2, 3] == pytest.approx(np.exp(-1 / (2 * (0.25 * 36 / 8) ** 2)))
    assert closeness[2].max() == 0.0
    assert assign_cells(truth, (6, 6), 8).closeness.max() == 0.0


def test_loss_of_empty_images_is_finite_and_differentiable():
    config, model = build("mobilenetv2_0.35_x8")
    criterion = FAMILY.criterion(config, num_classes=2)
    outputs = model(torch.rand(2, 3, 64, 64))
    loss = criterion(outputs, targets(NOTHING, NOTHING))["loss"]
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_a_few_steps_lower_the_loss():
    torch.manual_seed(0)
    config, model = build("mobilenetv2_0.35_x8")
    criterion = FAMILY.criterion(config, num_classes=2)
    x, truth = torch.rand(4, 3, 64, 64), targets(*[centered((20, 36, 1))] * 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        loss = criterion(model(x), truth)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def logits_of(cells):
    """(1, 3, 6, 6) logits: background everywhere but {(row, column): (label, logit)}."""
    logits = torch.full((1, 3, 6, 6), -4.0)
    logits[:, 0] = 4.0
    for (row, column), (label, value) in cells.items():
        logits[0, 0, row, column] = -4.0
        logits[0, label + 1, row, column] = value
    return logits


def detect(cells, threshold=0.5):
    specs = FAMILY.outputs(FomoConfig(), num_classes=2)
    return FomoPostprocess(8, threshold)([logits_of(cells)], specs)[0]


def test_a_single_cell_reports_its_center():
    found = detect({(2, 3): (1, 2.0)})
    assert found.boxes_xyxy.tolist() == [[24, 16, 32, 24]]
    assert found.labels.tolist() == [1]
    assert found.scores.tolist() == pytest.approx([1 / (1 + np.exp(-2.0))])
    assert found.cells[2, 3] == 2


def test_threshold_drops_and_the_background_wins():
    assert len(detect({(2, 3): (1, 2.0)}, threshold=0.9).scores) == 0
    logits = logits_of({(2, 3): (1, 2.0)})
    logits[0, 0, 2, 3] = 3.0
    specs = FAMILY.outputs(FomoConfig(), num_classes=2)
    assert len(FomoPostprocess(8, 0.1)([logits], specs)[0].scores) == 0


def test_neighbors_merge_into_a_weighted_center():
    found = detect({(2, 2): (0, 3.0), (2, 3): (0, 3.0)})
    assert len(found.scores) == 1
    assert found.boxes_xyxy[0].tolist() == pytest.approx([20, 16, 28, 24], abs=1e-4)


def test_equal_scores_along_an_edge_give_one_detection():
    assert len(detect({(1, c): (0, 1.0) for c in (1, 2, 3)}).scores) == 1


def test_cells_that_touch_at_a_corner_are_two_objects():
    found = detect({(2, 2): (0, 3.0), (3, 3): (0, 2.0)})
    assert found.boxes_xyxy.tolist() == [[16, 16, 24, 24], [24, 24, 32, 32]]


def test_one_place_is_one_object_whatever_its_cells_say():
    found = detect({(2, 2): (0, 3.0), (2, 3): (1, 1.0), (5, 5): (1, 2.0)})
    assert found.labels.tolist() == [0, 1]


def test_an_applied_activation_is_not_applied_again():
    (spec,) = FAMILY.outputs(FomoConfig(), num_classes=2)
    applied = type(spec)(**{**spec.to_dict(), "applied": True})
    logits = logits_of({(2, 3): (1, 2.0)})
    post = FomoPostprocess(8)
    a, b = post([logits], [spec])[0], post([logits.sigmoid()], [applied])[0]
    assert torch.equal(a.boxes_xyxy, b.boxes_xyxy)
    assert torch.equal(a.scores, b.scores)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_graph_needs_no_extra_padding_operator(variant):
    _, model = build(variant)
    graph = trace(model, (96, 96))
    assert {n.op for n in graph} == {"input", "conv"} | (
        {"add"} if any(n.op == "add" for n in graph) else set()
    )
    strided = [n for n in graph if n.op == "conv" and n.attrs["stride"] == (2, 2)]
    assert strided
    assert all(tuple(n.attrs["padding"]) == (0, 1, 0, 1) for n in strided)


@pytest.mark.parametrize("shift", [False, True])
def test_cells_are_those_of_writing_one_object_after_the_other(shift):
    generator = torch.Generator().manual_seed(5)
    for images in (1, 16):
        boxes, labels = [], []
        for i in range(images):
            count = 0 if i == 0 else int(torch.randint(40, (1,), generator=generator))
            corner = torch.rand(count, 2, generator=generator) * 90
            # sizes in fives: equal ones share cells, too
            size = torch.randint(1, 4, (count, 2), generator=generator) * 5
            boxes.append(torch.cat([corner, corner + size], dim=1))
            labels.append(torch.randint(3, (count,), generator=generator))
        cells = torch.zeros(images, 12, 12, dtype=torch.int64)
        for i, (own, classes) in enumerate(zip(boxes, labels, strict=True)):
            sides = (own[:, 2:] - own[:, :2]).prod(dim=1).sqrt()
            for k in torch.argsort(sides, descending=True, stable=True).tolist():
                x, y = ((own[k, :2] + own[k, 2:]) / 16).long().clamp(0, 11).tolist()
                cells[i, (y - shift) % 12, (x - shift) % 12] = classes[k] + 1
        assigned = assign_cells(Targets(boxes, labels), (12, 12), 8, shift=shift)
        assert torch.equal(assigned.cells, cells)
