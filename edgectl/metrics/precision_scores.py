"""Average precision over any selection of images, from matches made once.

Detections are matched to objects within an image, whatever other images are drawn; only the
order of the detections by score and the number of objects depend on the selection. So the matches
are made once, by COCO's rules, and every selection is then a handful of cumulative sums. With every
image once the result is the AP of :mod:`edgectl.metrics.coco_library` (a test holds them equal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgectl.metrics.coco_library import MAX_DETECTIONS, ImageBoxes, best_of

_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_CELLS = 4_000_000
"""Numbers in one intermediate array; more selections than fit are taken in turns."""


@dataclass(frozen=True)
class ClassMatches:
    """All detections of one class by descending score, and the objects.

    Attributes:
        image: (D,) which image each detection is in.
        hit: (10, D) bool: it found an object at that IoU threshold.
        ignored: (10, D) bool: it found a crowd region, and does not count.
        objects: (images,) how many each image has, crowd left out.
    """

    image: np.ndarray
    hit: np.ndarray
    ignored: np.ndarray
    objects: np.ndarray

    def values(self, weights: np.ndarray) -> np.ndarray:
        """(B,) AP over selections (B, images); NaN where no object was drawn."""
        rows = max(1, _CELLS // max(1, len(self.image)))
        parts = [self._values(weights[i : i + rows]) for i in range(0, len(weights), rows)]
        return np.concatenate(parts)

    def _values(self, weights: np.ndarray) -> np.ndarray:
        objects = weights @ self.objects
        drawn = weights[:, self.image]
        everything = np.cumsum(drawn, axis=1)
        total = np.zeros(len(weights))
        for hit, ignored in zip(self.hit, self.ignored, strict=True):
            at = np.flatnonzero(hit)
            if not len(at):
                continue
            found = np.cumsum(drawn[:, at], axis=1)
            seen = everything[:, at]
            if ignored.any():
                seen = seen - np.cumsum(drawn * ignored, axis=1)[:, at]
            total += _area(found, seen, objects)
        return np.where(objects > 0, total / len(_THRESHOLDS), np.nan)


def _area(found: np.ndarray, seen: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Mean precision at 101 recalls. found, seen: (B, hits) hits and detections up to each hit."""
    precision = found / np.maximum(seen, 1)
    # the best precision at this recall or a higher one
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = found / np.maximum(objects, 1)[:, None]
    reached = np.searchsorted(_RECALLS, recall, side="right")
    points = np.diff(reached, axis=1, prepend=0)
    area: np.ndarray = (points * envelope).sum(axis=1) / len(_RECALLS)
    return area


@dataclass(frozen=True)
class PrecisionScores:
    """AP of a set of images, class by class."""

    images: int
    classes: tuple[ClassMatches, ...]

    def values(self, weights: np.ndarray) -> np.ndarray:
        """(B,) AP, the mean over the classes that have objects in the selection."""
        total, count = np.zeros(len(weights)), np.zeros(len(weights))
        for matches in self.classes:
            own = matches.values(weights)
            defined = np.isfinite(own)
            total += np.where(defined, own, 0.0)
            count += defined
        means = np.full(len(weights), np.nan)
        np.divide(total, count, out=means, where=count > 0)
        return means


def precision_scores(images: Sequence[ImageBoxes]) -> PrecisionScores:
    """Matches the detections of every image."""
    kept = [best_of(p, MAX_DETECTIONS[-1]) for p in images]
    present = sorted({int(c) for p in kept for c in p.truth_labels[~p.truth_crowd]})
    return PrecisionScores(len(kept), tuple(_class_matches(kept, c) for c in present))


def _class_matches(images: Sequence[ImageBoxes], label: int) -> ClassMatches:
    scores, where, hits, ignored = [], [], [], []
    objects = np.zeros(len(images), np.int64)
    for i, p in enumerate(images):
        ours, theirs = p.labels == label, p.truth_labels == label
        crowd = p.truth_crowd[theirs]
        objects[i] = int((~crowd).sum())
        hit, ignore = match(p.boxes_xyxy[ours], p.truth_xyxy[theirs], crowd)
        scores.append(p.scores[ours])
        where.append(np.full(hit.shape[1], i))
        hits.append(hit)
        ignored.append(ignore)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return ClassMatches(
        np.concatenate(where)[order],
        np.concatenate(hits, axis=1)[:, order],
        np.concatenate(ignored, axis=1)[:, order],
        objects,
    )


def match(boxes: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """COCO's greedy matching of one image and class, at every IoU threshold.

    boxes: (K, 4) by descending score. truth: (G, 4), crowd: (G,) bool. Returns (10, K) bool each:
    found an object, found only a crowd region.
    """
    shape = (len(_THRESHOLDS), len(boxes))
    hit, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    if not hit.size or not len(truth):
        return hit, ignored
    overlap = overlaps(boxes, truth, crowd)
    single, regions = overlap[:, ~crowd], overlap[:, crowd]
    free = np.ones((len(_THRESHOLDS), single.shape[1]), bool)
    every = np.arange(len(_THRESHOLDS))
    # most detections are near nothing
    for k in np.flatnonzero(overlap.max(axis=1) >= _THRESHOLDS[0]):
        if single.shape[1]:
            candidates = np.where(free, single[k], -1.0)
            # of equals the reference program takes the last
            best = single.shape[1] - 1 - candidates[:, ::-1].argmax(axis=1)
            hit[:, k] = candidates[every, best] >= _THRESHOLDS
            free[every[hit[:, k]], best[hit[:, k]]] = False
        if regions.shape[1]:
            ignored[:, k] = ~hit[:, k] & (regions[k].max() >= _THRESHOLDS)
    return hit, ignored


def overlaps(boxes: np.ndarray, truth: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """(K, G) IoU; with a crowd region, the share of the detection inside it."""
    a, b = boxes.astype(np.float64), truth.astype(np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0.0, None).prod(axis=2)
    own, theirs = ((x[:, 2:] - x[:, :2]).prod(axis=1) for x in (a, b))
    union = np.where(crowd[None], own[:, None], own[:, None] + theirs[None] - common)
    shares: np.ndarray = np.zeros_like(common)
    np.divide(common, union, out=shares, where=union > 0)
    return shares
