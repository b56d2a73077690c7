"""Curves from matches, against arithmetic shown here; the metrics' matches against their own figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgectl.labels import Detections, Targets
from edgectl.metrics.centroid import CentroidMetric
from edgectl.metrics.classification import ClassificationMetric
from edgectl.metrics.detection import DetectionMetric
from edgectl.metrics.matches import ImageMatches, Matching, trace_curve


def image(scores: list[float], match: list[int], objects: int) -> ImageMatches:
    n = len(scores)
    return ImageMatches(
        np.array(scores),
        np.zeros(n, int),
        np.array(match, int),
        np.ones(n, bool),
        np.zeros(objects, int),
    )


def test_precision_and_recall_at_every_threshold() -> None:
    # .9 hit, .8 wrong, .5 hit and wrong together: equal scores stand or fall together
    curve = trace_curve([image([0.9, 0.5], [0, -1], 2), image([0.8, 0.5], [-1, 0], 2)])
    assert curve is not None
    assert curve.scores.tolist() == [0.9, 0.8, 0.5]
    assert curve.precision.tolist() == [1.0, 1 / 2, 2 / 4]
    assert curve.recall.tolist() == [1 / 4, 1 / 4, 2 / 4]
    assert curve.f1 == pytest.approx([0.4, 1 / 3, 0.5])


def test_nothing_to_draw() -> None:
    assert trace_curve([]) is None
    assert trace_curve([image([0.9], [-1], 0)]) is None
    assert trace_curve([image([], [], 3)]) is None


def test_a_higher_threshold_misses_more_and_shows_less() -> None:
    one = image([0.9, 0.4, 0.3], [1, 0, -1], 3)
    assert one.missed(0.0).tolist() == [False, False, True]
    assert one.missed(0.5).tolist() == [True, False, True]
    assert one.false_alarms(0.0).sum() == 1
    assert one.false_alarms(0.5).sum() == 0


def test_centroid_matches_give_its_figures() -> None:
    generator = torch.Generator().manual_seed(3)
    metric = CentroidMetric(("a", "b"), stride=8)
    for _ in range(20):
        corner = torch.rand(6, 2, generator=generator) * 80
        boxes = torch.cat([corner, corner + 10], dim=1)
        labels = torch.randint(2, (6,), generator=generator)
        scores = torch.rand(6, generator=generator).sort(descending=True).values
        moved = boxes + torch.randn(6, 1, generator=generator) * 6
        metric.update([Detections(moved, scores, labels)], Targets([boxes], [labels]))
    assert isinstance(metric, Matching)
    curve = trace_curve(metric.matches())
    figures = metric.compute()
    assert curve is not None
    assert curve.precision[-1] == pytest.approx(figures["precision"])
    assert curve.recall[-1] == pytest.approx(figures["recall"])


def test_detection_matches_give_the_counts_of_its_errors(drawn) -> None:
    metric = DetectionMetric(("a", "b", "c"))
    metric.images = drawn.random_images(5, 20, 3)
    errors = metric.compute()["errors"]
    matches = metric.matches()
    found = sum(int((~m.missed(errors["threshold"])).sum()) for m in matches)
    assert found == sum(row["found"] for row in errors["by_size"])


def test_classification_matches_are_top_one() -> None:
    metric = ClassificationMetric(("a", "b"))
    boxes = torch.zeros(2, 4)
    ranked = [
        Detections(boxes, torch.tensor([0.7, 0.3]), torch.tensor(order))
        for order in ([0, 1], [1, 0], [1, 0])
    ]
    targets = Targets([], [], image_labels=torch.tensor([0, 0, 1]))
    metric.update(ranked, targets)
    assert [int(m.missed(0.0).sum()) for m in metric.matches()] == [0, 1, 0]
