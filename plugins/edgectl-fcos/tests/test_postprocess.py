from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.model import FcosFamily

GRIDS = (16, 8, 4, 2, 1)


def decode(outputs, *, applied=False, **options):
    config = FcosConfig(**options)
    family = FcosFamily()
    specs = family.outputs(config, num_classes=outputs[0].shape[1])
    specs = [replace(s, applied=applied and s.activation != "none") for s in specs]
    (found,) = family.postprocess(config, num_classes=2)(outputs, specs)
    return found


def empty_heads(fill=-20.0):
    return [
        *(torch.full((1, 2, n, n), fill) for n in GRIDS),
        *(torch.zeros(1, 4, n, n) for n in GRIDS),
        *(torch.zeros(1, 1, n, n) for n in GRIDS),
    ]


def test_one_cell_becomes_one_box():
    heads = empty_heads()
    heads[1][0, 1, 2, 3] = 0.0  # stride 16, row 2, column 3: prior at (56, 40)
    heads[6][0, :, 2, 3] = torch.tensor([1.0, 0.5, 0.25, 1.5])
    heads[11][0, 0, 2, 3] = math.log(0.25 / 0.75)
    found = decode(heads)
    assert found.labels.tolist() == [1]
    assert found.scores.tolist() == pytest.approx([math.sqrt(0.5 * 0.25)])
    assert found.boxes_xyxy[0].tolist() == [40, 32, 60, 64]


def test_priors_may_lie_on_corners():
    heads = empty_heads()
    heads[0][0, 0, 4, 4] = 5.0
    heads[5][0, :, 4, 4] = 1.0
    assert decode(heads, point_offset=0.0).boxes_xyxy[0].tolist() == [24, 24, 40, 40]


def test_logarithms_of_distances():
    heads = empty_heads()
    heads[2][0, 0, 1, 1] = 5.0
    heads[7][0, :, 1, 1] = math.log(0.5)
    found = decode(heads, norm_on_bbox=False)
    assert found.boxes_xyxy[0].tolist() == [32, 32, 64, 64]


def test_boxes_end_at_the_image():
    heads = empty_heads()
    heads[4][0, 0, 0, 0] = 5.0
    heads[9][0, :, 0, 0] = 3.0
    assert decode(heads).boxes_xyxy[0].tolist() == [0, 0, 128, 128]


def test_applied_scores_are_not_squashed_again():
    heads = empty_heads(0.0)
    heads[0][0, 0, 4, 4] = 0.81
    heads[5][0, :, 4, 4] = 1.0
    heads[10][0, 0, 4, 4] = 1.0
    assert decode(heads, applied=True).scores.tolist() == pytest.approx([0.9])


def test_a_prior_may_report_two_classes():
    heads = empty_heads()
    heads[0][0, :, 4, 4] = torch.tensor([1.0, 2.0])
    heads[5][0, :, 4, 4] = 1.0
    assert decode(heads).labels.tolist() == [1, 0]


def test_nothing_over_the_threshold():
    assert len(decode(empty_heads()).scores) == 0


def test_only_the_best_of_each_level_reach_suppression():
    heads = empty_heads()
    for level in (0, 1):
        n = GRIDS[level]
        heads[level][0, 0] = torch.linspace(-3, 3, n * n).view(n, n)
        heads[5 + level].fill_(0.5)
    assert len(decode(heads).scores) == 100
    found = decode(heads, pre_nms=5)
    assert len(found.scores) == 10
    sides = (found.boxes_xyxy[:, 2] - found.boxes_xyxy[:, 0]).tolist()
    assert sorted(sides) == [8] * 5 + [16] * 5
