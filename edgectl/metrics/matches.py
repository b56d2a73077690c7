"""Which detection found which object, image by image: what curves and drawn examples are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class ImageMatches:
    """K detections and N objects of one image.

    Detections choose in the order of their scores, so that those over any threshold chose as they would have
    without the others.

    Attributes:
        scores: (K,) float.
        labels: (K,) int.
        match: (K,) int, the object each detection found, or -1.
        counts: (K,) bool: a hit or a false alarm; not so on a region whose objects nobody counted.
        truth: (N,) int, the class of each object.
    """

    scores: np.ndarray
    labels: np.ndarray
    match: np.ndarray
    counts: np.ndarray
    truth: np.ndarray

    def missed(self, threshold: float) -> np.ndarray:
        """(N,) bool: no detection with at least this score found the object."""
        found = self.match[self.scores >= threshold]
        missed: np.ndarray = ~np.isin(np.arange(len(self.truth)), found)
        return missed

    def false_alarms(self, threshold: float) -> np.ndarray:
        """(K,) bool: shown at this threshold, and wrong."""
        wrong: np.ndarray = (self.scores >= threshold) & self.counts & (self.match < 0)
        return wrong


@runtime_checkable
class Matching(Protocol):
    """A metric that knows which detection found which object."""

    def matches(self) -> list[ImageMatches]:
        """Return one entry an image, in the order seen."""
        ...


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every score a detection has, classes together, scores descending.

    Attributes:
        scores, precision, recall: (P,) float.
    """

    scores: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """(P,) float; 0 where nothing is right."""
        both = self.precision + self.recall
        f1: np.ndarray = 2 * self.precision * self.recall / np.where(both > 0, both, 1.0)
        return f1


def trace_curve(images: Sequence[ImageMatches]) -> Curve | None:
    """Every threshold tried. None where there is no object or no detection."""
    objects = sum(len(i.truth) for i in images)
    scores = np.concatenate([i.scores[i.counts] for i in images] or [np.zeros(0)])
    if not objects or not len(scores):
        return None
    hits = np.concatenate([i.match[i.counts] >= 0 for i in images])
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(hits[order])
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores stand or fall together
    shown = np.arange(1, len(scores) + 1)[last]
    return Curve(scores[order][last], found[last] / shown, found[last] / objects)
