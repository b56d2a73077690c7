"""Precision, recall and F1 of object centers, object by object.

A detection is right when its center falls into the cell of an object of its class or into one of that
cell's eight neighbors. Detections choose in order of score, each the nearest object still free, so an
object is found once and a second detection of it is a false alarm; in a crowd region of its class, whose
objects nobody has counted, it is none. An object whose cell another
object of another class already occupies counts like any other: what the grid cannot hold is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from edgectl.labels import Detections, SourceImage, Targets
from edgectl.metrics.bootstrap import RatioScores
from edgectl.metrics.cells import SscmaCells
from edgectl.metrics.matches import ImageMatches
from edgectl.spec import Size


class CentroidMetric:
    """Accumulates over batches.

    Args:
        classes: names, in label order.
        stride: input pixels per cell.
        grid: (rows, columns) of the output; given, the cell-wise ``sscma_*`` figures are added.
    """

    def __init__(self, classes: Sequence[str], stride: int, grid: Size | None = None) -> None:
        self._classes = tuple(classes)
        self._stride = stride
        # (classes,) int64 of every image
        self._found: list[Tensor] = []
        self._fired: list[Tensor] = []
        self._present: list[Tensor] = []
        self._matches: list[ImageMatches] = []
        self._cells = SscmaCells(stride, grid) if grid is not None else None

    def update(self, detections: list[Detections], targets: Targets) -> None:
        """One entry an image in both; boxes in network-input pixels."""
        n = len(self._classes)
        for i, (found, boxes, labels) in enumerate(
            zip(detections, targets.boxes_xyxy, targets.labels, strict=True)
        ):
            match = match_centers(found, boxes, labels, self._stride)
            hit = match >= 0
            counted = torch.ones_like(hit)
            if targets.sources is not None:
                counted = hit | ~_in_crowd(found, targets.sources[i])
            self._found.append(torch.bincount(found.labels[hit], minlength=n))
            self._fired.append(torch.bincount(found.labels[counted], minlength=n))
            self._present.append(torch.bincount(labels, minlength=n))
            tensors = (found.scores, found.labels, match, counted, labels)
            self._matches.append(ImageMatches(*(t.numpy() for t in tensors)))
        if self._cells is not None:
            self._cells.update(detections, targets)

    def compute(self) -> dict[str, Any]:
        """``precision recall f1``, the same ``per_class``, and ``sscma_*`` where a grid was given."""
        found, fired, present = self._counts()
        total = _rates(int(found.sum()), int(fired.sum()), int(present.sum()))
        found, fired, present = found.sum(0), fired.sum(0), present.sum(0)
        per_class = {
            name: {
                **_rates(int(found[i]), int(fired[i]), int(present[i])),
                "objects": int(present[i]),
            }
            for i, name in enumerate(self._classes)
        }
        cells = self._cells.compute() if self._cells is not None else {}
        return {**total, **cells, "per_class": per_class}

    def matches(self) -> list[ImageMatches]:
        """See :class:`edgectl.metrics.matches.Matching`."""
        return self._matches

    def per_image(self) -> RatioScores:
        """F1 over any selection of the images."""
        found, fired, present = (c.sum(1).numpy() for c in self._counts())
        return RatioScores(2 * found, fired + present)

    def _counts(self) -> tuple[Tensor, Tensor, Tensor]:
        """(images, classes) objects found, detections, objects."""
        none = torch.zeros((0, len(self._classes)), dtype=torch.int64)
        found, fired, present = (
            torch.stack(c) if c else none for c in (self._found, self._fired, self._present)
        )
        return found, fired, present


def match_centers(found: Detections, boxes: Tensor, labels: Tensor, stride: int) -> Tensor:
    """Index of the object each detection found, or -1. found: K detections by descending score;
    boxes: (N, 4); returns (K,) int64."""
    matched = torch.full((len(found.labels),), -1, dtype=torch.int64)
    if not len(boxes) or not len(matched):
        return matched
    ours, theirs = centers(found.boxes_xyxy), centers(boxes)
    apart = (ours // stride)[:, None] - (theirs // stride)[None]
    reachable = (apart.abs().amax(dim=2) <= 1) & (found.labels[:, None] == labels[None])
    # torch.cdist goes through a matrix product once there are more than 25 points, and is off by
    # a third of a pixel in the middle of 640
    distance = (ours[:, None] - theirs[None]).square().sum(dim=2)
    distance = distance.masked_fill(~reachable, float("inf"))
    for k in torch.argsort(found.scores, descending=True, stable=True).tolist():
        nearest = int(distance[k].argmin())
        if distance[k, nearest] < float("inf"):
            matched[k] = nearest
            distance[:, nearest] = float("inf")
    return matched


def _in_crowd(found: Detections, source: SourceImage) -> Tensor:
    """(K,) bool: the center is in a crowd region of the detection's class."""
    sample, crowd = source.sample, source.sample.crowd
    regions = torch.from_numpy(source.geometry.to_input(sample.boxes_xyxy[crowd]))
    labels = torch.from_numpy(sample.labels[crowd])
    at = centers(found.boxes_xyxy)[:, None]
    inside = ((at >= regions[None, :, :2]) & (at <= regions[None, :, 2:])).all(dim=2)
    return (inside & (found.labels[:, None] == labels[None])).any(dim=1)


def centers(boxes_xyxy: Tensor) -> Tensor:
    """(N, 4) corners to (N, 2) center x, y."""
    return (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]).float() / 2


def _rates(found: int, fired: int, present: int) -> dict[str, float]:
    """0 where a denominator is 0: nothing found is no success."""
    precision = found / fired if fired else 0.0
    recall = found / present if present else 0.0
    f1 = 2 * found / (fired + present) if fired + present else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
