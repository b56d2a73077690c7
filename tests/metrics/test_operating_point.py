from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from edgectl.labels import Detections, Targets
from edgectl.metrics.evaluator import Metrics, Record
from edgectl.metrics.operating_point import THRESHOLDS, closest_equivalent, sweep
from edgectl.spec import OutputSpec


def test_the_prior_stays_where_nothing_is_better() -> None:
    figures = [0.8] * 49
    assert THRESHOLDS[closest_equivalent(figures, 0.7, 100)] == 0.7


def test_evidence_moves_it_to_the_border_of_what_is_as_good() -> None:
    # good up to 0.4 (index 19), and bad by far more than an error of sqrt(0.9 * 0.1 / 1000)
    figures = [0.9] * 20 + [0.5] * 29
    assert THRESHOLDS[closest_equivalent(figures, 0.7, 1000)] == pytest.approx(0.36)
    assert THRESHOLDS[closest_equivalent(figures, 0.1, 1000)] == 0.1


def test_a_few_objects_are_little_evidence() -> None:
    figures = [0.9] * 20 + [0.8] * 29
    assert THRESHOLDS[closest_equivalent(figures, 0.7, 5)] == 0.7
    assert THRESHOLDS[closest_equivalent(figures, 0.7, 5000)] < 0.4


class Threshold:
    """One detection an image, scored by its logit."""

    threshold = 0.5

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        scores = outputs[0].flatten(1)
        return [
            Detections(torch.zeros(int(k.sum()), 4), s[k], torch.zeros(int(k.sum())).long())
            for s, k in zip(scores, scores >= self.threshold, strict=True)
        ]


class Accuracy:
    """Images with an object found, and without one silent."""

    def __init__(self) -> None:
        self.right: list[bool] = []

    def update(self, detections: list[Detections], targets: Targets) -> None:
        self.right += [
            bool(len(d.labels)) == bool(len(t))
            for d, t in zip(detections, targets.labels, strict=True)
        ]

    def compute(self) -> dict[str, Any]:
        return {"accuracy": sum(self.right) / len(self.right)}


def test_the_threshold_separates_objects_from_noise() -> None:
    noise, objects = torch.linspace(0.0, 0.3, 30), torch.linspace(0.7, 1.0, 30)
    labels = [torch.zeros(0).long()] * 30 + [torch.zeros(1).long()] * 30
    boxes = [torch.zeros(len(v), 4) for v in labels]
    record = Record([torch.cat([noise, objects]).reshape(60, 1, 1, 1)], Targets(boxes, labels))
    post = Threshold()
    metrics = Metrics("accuracy", Accuracy)
    point = sweep([record], post, (), metrics, source="here")
    assert point.threshold == pytest.approx(0.5, abs=0.021)
    assert point.metric == 1.0 and point.source == "here"
    assert post.threshold == point.threshold in THRESHOLDS
