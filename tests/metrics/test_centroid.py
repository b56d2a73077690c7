from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgectl.labels import Detections, Geometry, Sample, SourceImage, Targets
from edgectl.metrics.centroid import CentroidMetric, match_centers


def at(*points, scores=None):
    """Detections of one 8 px cell each: (x, y, label)."""
    xy = torch.tensor([[x, y] for x, y, _ in points], dtype=torch.float32).reshape(-1, 2)
    return Detections(
        torch.cat([xy - 4, xy + 4], dim=1),
        torch.tensor(scores or [0.9 - 0.1 * i for i in range(len(points))]),
        torch.tensor([label for *_, label in points], dtype=torch.int64),
        cells=torch.zeros(8, 8, dtype=torch.int64),
    )


def figures(found, objects, classes=("a", "b")):
    metric = CentroidMetric(classes, stride=8)
    truth = at(*objects)
    metric.update([found], Targets([truth.boxes_xyxy], [truth.labels]))
    return metric.compute()


@pytest.mark.parametrize(
    ("found", "objects", "expected"),
    [
        ([], [], (0, 0, 0)),
        ([(20, 20, 0)], [], (0, 0, 0)),
        ([], [(20, 20, 0)], (0, 0, 0)),
        ([(20, 20, 0)], [(20, 20, 0)], (1, 1, 1)),
        # cell (2, 2) holds 16..24: 31.9 lies in the next cell, 32 in the one after
        ([(31.9, 20, 0)], [(20, 20, 0)], (1, 1, 1)),
        ([(32.0, 20, 0)], [(20, 20, 0)], (0, 0, 0)),
        ([(20, 20, 1)], [(20, 20, 0)], (0, 0, 0)),
        # one object is found once
        ([(20, 20, 0), (28, 20, 0)], [(20, 20, 0)], (0.5, 1, 2 / 3)),
        ([(20, 20, 0)], [(20, 20, 0), (28, 20, 0)], (1, 0.5, 2 / 3)),
    ],
)
def test_rates(found, objects, expected):
    result = figures(at(*found), objects)
    assert (result["precision"], result["recall"], result["f1"]) == pytest.approx(expected)


def test_the_higher_score_chooses_first_and_takes_the_nearest():
    found = at((20, 20, 0), (27, 20, 0), scores=[0.5, 0.9])
    objects = at((20, 20, 0), (28, 20, 0))
    matched = match_centers(found, objects.boxes_xyxy, objects.labels, 8)
    assert matched.tolist() == [0, 1]


def test_the_nearest_of_a_crowd():
    """1 px away is nearer than 1.25 px away, however many objects there are."""
    crowd = [(16.0 * i, 8.0, 0) for i in range(30)]
    truth = at((4000.25, 4001.5, 0), (4001.25, 4000.25, 0), *crowd)
    found = at((4000.25, 4000.25, 0), *crowd)
    matched = match_centers(found, truth.boxes_xyxy, truth.labels, 8)
    assert matched.tolist() == [1, *range(2, 32)]


def test_per_class():
    result = figures(at((20, 20, 0), (50, 50, 1)), [(20, 20, 0), (20, 50, 1)])
    assert result["per_class"]["a"]["f1"] == 1.0
    assert result["per_class"]["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "objects": 1}


def test_cellwise_figures_are_added_on_request():
    metric = CentroidMetric(("a",), stride=8, grid=(8, 8))
    found = at((20, 20, 0))
    found.cells[2, 2] = 1
    metric.update([found], Targets([found.boxes_xyxy], [found.labels]))
    assert metric.compute()["sscma_f1"] == 1.0


def test_detections_in_a_crowd_of_their_class_are_no_false_alarms():
    sample = Sample(
        Path("p.jpg"),
        128,
        128,
        boxes_xyxy=np.array([[0, 0, 16, 16], [64, 64, 128, 128]], np.float32),
        labels=np.array([0, 0]),
        crowd=np.array([False, True]),
    )
    source = SourceImage(sample, Geometry(0.5, 0.5, 0, 0))
    # the object; beside everything; in the crowd; in the crowd, of another class
    found = at((4, 4, 0), (20, 4, 0), (50, 50, 0), (50, 50, 1))
    truth = at((4, 4, 0))
    metric = CentroidMetric(("a", "b"), stride=8)
    metric.update([found], Targets([truth.boxes_xyxy], [truth.labels], [source]))
    assert metric.compute()["precision"] == pytest.approx(1 / 3)
    assert metric.compute()["recall"] == 1
