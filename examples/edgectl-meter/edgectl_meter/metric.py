"""How far key points are from where they should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from edgectl.labels import Detections, SourceImage, Targets
from edgectl_meter.points import DialSample, centers_of, read_dial

_NEAR, _FAR = 1.0, 10.0
"""Pixels of the network's input."""


def score_distance(pixels: Tensor) -> Tensor:
    """SSCMA's ``Acc`` of one key point: 1 up to one pixel, 0 beyond ten, linear between."""
    return ((_FAR - pixels) / (_FAR - _NEAR)).clamp(0.0, 1.0)


class PointMetric:
    """Attributes of ``compute``: ``acc``, the mean score over images and points; ``mean_px``, the mean
    distance; ``per_class``, both for each point; ``reading_error``, the mean absolute error of what the
    pointer shows, as a share of the scale, where the points tell it."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._distances: list[Tensor] = []
        self._reading_errors: list[float] = []

    def update(self, detections: list[Detections], targets: Targets) -> None:
        """Distances in network-input pixels; readings in the image's own."""
        for i, found in enumerate(detections):
            points = centers_of(found.boxes_xyxy, found.labels)
            wanted = centers_of(targets.boxes_xyxy[i], targets.labels[i])
            self._distances.append((points - wanted).norm(dim=1))
            if targets.sources is not None:
                self._note_reading(found, targets.sources[i])

    def compute(self) -> dict[str, Any]:
        """Zeros before the first image."""
        if not self._distances:
            return {"acc": 0.0, "mean_px": 0.0, "per_class": {}}
        distances = torch.stack(self._distances)
        scores = score_distance(distances)
        result: dict[str, Any] = {"acc": float(scores.mean()), "mean_px": float(distances.mean())}
        if self._reading_errors:
            result["reading_error"] = sum(self._reading_errors) / len(self._reading_errors)
        result["per_class"] = {
            name: {"acc": float(scores[:, k].mean()), "mean_px": float(distances[:, k].mean())}
            for k, name in enumerate(self._classes)
        }
        return result

    def _note_reading(self, found: Detections, source: SourceImage) -> None:
        if not isinstance(source.sample, DialSample):
            return
        boxes = torch.from_numpy(source.geometry.to_original(found.boxes_xyxy.numpy()))
        points = centers_of(boxes, found.labels).tolist()
        shown = read_dial(dict(zip(self._classes, points, strict=True)))
        if shown is not None:
            self._reading_errors.append(abs(shown - source.sample.reading))
