"""Top-1, top-5, figures of each class and the confusion matrix of whole-image classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from edgectl.labels import Detections, Targets
from edgectl.metrics.bootstrap import RatioScores
from edgectl.metrics.matches import ImageMatches

_LARGEST_MATRIX = 250
"""Classes up to which the matrix is reported: more fit neither a page nor a checkpoint."""


class ClassificationMetric:
    """Accumulates over batches.

    Args:
        classes: names, in label order.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._confusion = torch.zeros(len(classes), len(classes), dtype=torch.int64)
        self._in_five = 0
        self._right: list[torch.Tensor] = []
        self._matches: list[ImageMatches] = []

    def update(self, detections: list[Detections], targets: Targets) -> None:
        """``detections[i].labels`` ranks every class; needs ``targets.image_labels`` (N,) int64."""
        truth = targets.image_labels
        if truth is None or truth.ndim != 1:
            raise ValueError("classification figures need one class an image")
        ranking = torch.stack([d.labels for d in detections])
        n = len(self._classes)
        pairs = torch.bincount(truth * n + ranking[:, 0], minlength=n * n)
        self._confusion += pairs.view(n, n)
        self._right.append(ranking[:, 0] == truth)
        self._matches += map(_match_class, detections, truth.tolist())
        self._in_five += int((ranking[:, :5] == truth[:, None]).sum())

    def compute(self) -> dict[str, Any]:
        """``top1 top5``, ``per_class`` (precision, recall, f1, images), and ``confusion``: counts,
        a row a true class, a column a predicted one. Figures without a denominator are 0."""
        total = max(1, int(self._confusion.sum()))
        right = self._confusion.diagonal()
        figures: dict[str, Any] = {
            "top1": int(right.sum()) / total,
            "top5": self._in_five / total,
            "per_class": {name: self._of_class(i) for i, name in enumerate(self._classes)},
        }
        if len(self._classes) <= _LARGEST_MATRIX:
            figures["confusion"] = self._confusion.tolist()
        return figures

    def matches(self) -> list[ImageMatches]:
        """See :class:`edgectl.metrics.matches.Matching`: the likeliest class, and the object is the image."""
        return self._matches

    def per_image(self) -> RatioScores:
        """Top-1, for comparisons."""
        right = torch.cat(self._right).numpy().astype(np.int64)
        return RatioScores(right, np.ones_like(right))

    def _of_class(self, i: int) -> dict[str, float | int]:
        right = int(self._confusion[i, i])
        fired, present = int(self._confusion[:, i].sum()), int(self._confusion[i].sum())
        return {
            "precision": right / fired if fired else 0.0,
            "recall": right / present if present else 0.0,
            "f1": 2 * right / (fired + present) if fired + present else 0.0,
            "images": present,
        }


def _match_class(found: Detections, label: int) -> ImageMatches:
    labels = found.labels[:1].numpy()
    return ImageMatches(
        found.scores[:1].numpy(),
        labels,
        np.where(labels == label, 0, -1),
        np.ones(1, bool),
        np.array([label]),
    )
