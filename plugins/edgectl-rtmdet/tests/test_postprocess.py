from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from edgectl_rtmdet.config import RtmdetConfig
from edgectl_rtmdet.model import RtmdetFamily


def decode(outputs, *, applied=False, **options):
    config = RtmdetConfig(**options)
    family = RtmdetFamily()
    specs = family.outputs(config, num_classes=outputs[0].shape[1])
    specs = [replace(s, applied=applied and i < 3) for i, s in enumerate(specs)]
    (found,) = family.postprocess(config, num_classes=2)(outputs, specs)
    return found


def empty_heads(fill=-20.0):
    grids = (8, 4, 2)
    return [
        *(torch.full((1, 2, n, n), fill) for n in grids),
        *(torch.zeros(1, 4, n, n) for n in grids),
    ]


def test_one_cell_becomes_one_box():
    heads = empty_heads()
    heads[1][0, 1, 2, 3] = 0.0  # stride 16, row 2, column 3: prior at (48, 32)
    heads[4][0, :, 2, 3] = torch.tensor([1.0, 0.5, 0.25, 1.5])
    found = decode(heads)
    assert found.labels.tolist() == [1]
    assert found.scores.tolist() == pytest.approx([0.5])
    assert found.boxes_xyxy[0].tolist() == [32, 24, 52, 56]


def test_logarithms_of_distances():
    heads = empty_heads()
    heads[0][0, 0, 0, 0] = 5.0
    found = decode(heads, exp_on_reg=True)
    assert found.boxes_xyxy[0].tolist() == [-8, -8, 8, 8]


def test_applied_scores_are_not_squashed_again():
    heads = empty_heads(0.0)
    heads[0][0, 0, 4, 4] = 0.75
    heads[3][0, :, 4, 4] = 1.0
    assert decode(heads, applied=True).scores.tolist() == [0.75]


def test_a_prior_may_report_two_classes():
    heads = empty_heads()
    heads[0][0, :, 4, 4] = torch.tensor([1.0, 2.0])
    heads[3][0, :, 4, 4] = 1.0
    assert decode(heads).labels.tolist() == [1, 0]


def test_nothing_over_the_threshold():
    assert len(decode(empty_heads()).scores) == 0


def test_only_the_best_reach_suppression():
    heads = empty_heads()
    heads[0][0, 0] = torch.linspace(-3, 3, 64).view(8, 8)
    found = decode(heads, pre_nms=5)
    assert len(found.scores) <= 5
    assert found.scores[0] == torch.sigmoid(torch.tensor(3.0))
