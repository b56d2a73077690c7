from __future__ import annotations

import pytest
import torch

from edgectl.nn.boxes import (
    distances_to_boxes,
    generalized_iou,
    grid_points,
    iou,
    suppress,
)


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32)


def test_points_run_along_the_rows():
    points = grid_points(2, 3, 8, offset=0.0, like=torch.zeros(()))
    assert points.tolist() == [[0, 0], [8, 0], [16, 0], [0, 8], [8, 8], [16, 8]]
    assert grid_points(1, 1, 8, offset=0.5, like=torch.zeros(())).tolist() == [[4, 4]]


def test_distances_go_left_top_right_bottom():
    found = distances_to_boxes(torch.tensor([10.0, 20.0]), torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert found.tolist() == [9, 18, 13, 24]


def test_overlap_of_half_shifted_squares_is_a_third():
    a, b = boxes([0, 0, 2, 2]), boxes([1, 0, 3, 2])
    assert iou(a, b).item() == pytest.approx(2 / 6)
    # the hull is 3 x 2 and entirely covered
    assert generalized_iou(a, b).item() == pytest.approx(2 / 6)


def test_generalized_overlap_of_apart_boxes_is_negative():
    a, b = boxes([0, 0, 1, 1]), boxes([2, 0, 3, 1])
    assert iou(a, b).item() == 0
    assert generalized_iou(a, b).item() == pytest.approx(-1 / 3)


def test_a_box_turned_inside_out_overlaps_nothing():
    assert iou(boxes([2, 2, 0, 0]), boxes([0, 0, 2, 2])).item() == 0
    assert generalized_iou(boxes([2, 2, 0, 0]), boxes([0, 0, 2, 2])).isfinite().all()


def test_overlap_broadcasts():
    assert iou(torch.zeros(5, 1, 4), torch.zeros(1, 3, 4)).shape == (5, 3)


def test_the_better_of_two_overlapping_boxes_stays():
    found = suppress(
        boxes([0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]),
        torch.tensor([0.5, 0.9, 0.1]),
        torch.tensor([0, 0, 0]),
        threshold=0.5,
        limit=10,
    )
    assert found.scores.tolist() == pytest.approx([0.9, 0.1])
    assert found.boxes_xyxy[0].tolist() == [1, 0, 11, 10]


def test_classes_do_not_suppress_each_other():
    same = boxes([0, 0, 10, 10], [0, 0, 10, 10])
    found = suppress(same, torch.tensor([0.5, 0.9]), torch.tensor([0, 1]), threshold=0.5, limit=10)
    assert found.labels.tolist() == [1, 0]


def test_the_limit_keeps_the_best():
    apart = torch.arange(5)[:, None] * 100 + boxes([0, 0, 10, 10])
    scores = torch.tensor([0.1, 0.5, 0.3, 0.4, 0.2])
    found = suppress(apart, scores, torch.zeros(5, dtype=torch.int64), threshold=0.5, limit=2)
    assert found.scores.tolist() == pytest.approx([0.5, 0.4])


def test_nothing_in_nothing_out():
    found = suppress(
        torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), threshold=0.5, limit=5
    )
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.labels.dtype == torch.int64
