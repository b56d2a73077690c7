"""Labelled images, the targets of a batch and the detections found in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """One image and its labels. A format of a plugin may return a subclass with labels of its own, which
    core hands through to the task's batches and metrics.

    Attributes:
        path: the image file.
        width, height: pixels, as the annotation says (verified on decode); 0 where the format
            does not say.
        boxes_xyxy: (N, 4) float32, original pixels, clipped to the image, area > 0.
        labels: (N,) int64, 0-based index into ``DatasetIndex.classes``.
        crowd: (N,) bool: regions that are neither target nor background.
        areas: (N,) float32, pixels of the object as annotated (COCO counts its mask, not its box);
            None where the format has no such thing, and the box's area stands in.
        image_label: class of the whole image, 0-based; such a sample has no boxes. None in sets of
            objects.
    """

    path: Path
    width: int
    height: int
    boxes_xyxy: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray | None = None
    image_label: int | None = None

    def class_labels(self) -> np.ndarray:
        """(N,) int64: the classes in the image, of objects or of the whole."""
        if self.image_label is not None:
            return np.array([self.image_label], np.int64)
        return self.labels

    def own_labels(self) -> bytes:
        """What a task's own subclass adds to the labels; the set's fingerprint depends on it."""
        return b""

    def object_areas(self) -> np.ndarray:
        """(N,) float64: ``areas``, or those of the boxes."""
        if self.areas is not None:
            return np.asarray(self.areas, np.float64)
        boxes = np.asarray(self.boxes_xyxy, np.float64)
        area: np.ndarray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return area


def has_objects(samples: Iterable[Sample]) -> bool:
    """Whether there is anything to find: a crowd region is none."""
    return any(s.image_label is not None or bool((~s.crowd).any()) for s in samples)


@dataclass(frozen=True)
class Geometry:
    """Where an image's pixels went: input = original * scale + pad, per axis."""

    scale_x: float
    scale_y: float
    pad_left: int
    pad_top: int

    def to_input(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """(N, 4) original pixels to network-input pixels, float32."""
        return np.asarray(boxes_xyxy * self._scale() + self._offset(), np.float32)

    def to_original(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Inverse of :meth:`to_input`."""
        return np.asarray((boxes_xyxy - self._offset()) / self._scale(), np.float32)

    def longer_sides(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """(N, 4) original pixels to (N,) network-input pixels."""
        boxes = self.to_input(boxes_xyxy)
        sides: np.ndarray = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        return sides

    def _scale(self) -> np.ndarray:
        return np.array([self.scale_x, self.scale_y] * 2, np.float64)

    def _offset(self) -> np.ndarray:
        return np.array([self.pad_left, self.pad_top] * 2, np.float64)


@dataclass(frozen=True)
class SourceImage:
    """Where an image of an evaluation batch came from, and how it got into the network's input."""

    sample: Sample
    geometry: Geometry

    def to_original(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """(N, 4) network-input pixels to original pixels, clipped to the image; float32."""
        boxes = self.geometry.to_original(boxes_xyxy)
        limit = np.array([self.sample.width, self.sample.height] * 2, np.float32)
        return np.asarray(np.clip(boxes, np.float32(0), limit), np.float32)


@dataclass
class Targets:
    """Ground truth of a batch, in network-input pixels.

    Attributes:
        boxes_xyxy: one (N_i, 4) float tensor an image; N_i may be 0.
        labels: one (N_i,) int64 tensor an image, 0-based.
        sources: one an image, for metrics in original pixels; None in training batches, whose
            images are augmented.
        image_labels: classification: the class of each image, (N,) int64; or, where images are
            mixed, the share of each class in it, (N, C) float. ``boxes_xyxy`` and ``labels`` then
            hold nothing.
        image_weights: (N,) float, how much each image counts in the loss; None: all alike.
    """

    boxes_xyxy: list[Tensor]
    labels: list[Tensor]
    sources: list[SourceImage] | None = None
    image_labels: Tensor | None = None
    image_weights: Tensor | None = None


@dataclass
class Detections:
    """What a postprocess returns for one image, in network-input pixels.

    Attributes:
        boxes_xyxy: (K, 4) float. A centroid family gives the extent of the cells that fired; the
            reported point is the box center.
        scores: (K,) float in 0..1, descending.
        labels: (K,) int64, 0-based class index (background is not a class).
        cells: (rows, columns) int64, the winning channel of every cell with background 0 and no
            threshold; only families that predict on one grid give it.

    A classification family ranks the whole image: every class once in ``labels``, best first, equal
    scores in class order, and ``boxes_xyxy`` empty, (0, 4).
    """

    boxes_xyxy: Tensor
    scores: Tensor
    labels: Tensor
    cells: Tensor | None = None
