from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from edgectl.metrics.evaluator import Metrics, Record
from edgectl.metrics.operating_point import THRESHOLDS, plateau_centre, sweep
from edgectl.types import Detections, OutputSpec, Targets


def test_the_middle_of_the_plateau() -> None:
    figures = [0.0] * 10 + [0.8] * 21 + [0.0] * 18
    assert plateau_centre(figures) == 20


def test_a_spike_does_not_win_over_a_plateau() -> None:
    figures = [0.2] * 5 + [0.9] + [0.2] * 14 + [0.8] * 15 + [0.1] * 14
    assert plateau_centre(figures) == 27


def test_plateaus_at_the_ends_and_flat_curves() -> None:
    assert plateau_centre([0.9] * 11 + [0.0] * 38) < 11
    assert plateau_centre([0.0] * 38 + [0.9] * 11) > 37
    assert plateau_centre([0.0] * 49) == 24


class Threshold:
    """One detection a picture, scored by its logit."""

    threshold = 0.5

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        scores = outputs[0].flatten(1)
        return [
            Detections(torch.zeros(int(k.sum()), 4), s[k], torch.zeros(int(k.sum())).long())
            for s, k in zip(scores, scores >= self.threshold, strict=True)
        ]


class Accuracy:
    """Pictures with an object found, and without one silent."""

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
