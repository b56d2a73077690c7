"""The twelve figures of COCO, in the pixels of the images as they were labelled.

Size ranges and crowd regions are defined on the original image, so detections are taken back
through the letterbox and clipped before anything is compared.

Definition: https://cocodataset.org/#detection-eval
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgectl.errors import EdgectlError
from edgectl.labels import Detections, Targets
from edgectl.metrics.coco_library import (
    AREAS,
    MAX_DETECTIONS,
    Curves,
    ImageBoxes,
    Library,
    coco_curves,
)
from edgectl.metrics.error_types import error_types, match_objects
from edgectl.metrics.matches import ImageMatches
from edgectl.metrics.precision_scores import PrecisionScores, precision_scores

FIGURES = (
    "AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large",
    "AR_1", "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large",
)  # fmt: skip
"""Names of the twelve, in COCO's order; -1 where the set holds no such object."""

_IOU_50, _IOU_75 = 0, 5  # of .50, .55, ... .95


class DetectionMetric:
    """Accumulates images, computes everything at the end.

    Args:
        classes: names, in label order.
        library: None takes the faster one installed.
    """

    def __init__(self, classes: Sequence[str], library: Library | None = None) -> None:
        self._classes = tuple(classes)
        self._library = library
        self.images: list[ImageBoxes] = []

    def update(self, detections: list[Detections], targets: Targets) -> None:
        """One entry an image in both; detections in network-input pixels.

        Raises:
            EdgectlError: targets without their source images.
        """
        self.images += in_original_pixels(detections, targets)

    def per_image(self) -> PrecisionScores:
        """AP over any selection of the images."""
        return precision_scores(self.images)

    def matches(self) -> list[ImageMatches]:
        """See :class:`edgectl.metrics.matches.Matching`."""
        return match_objects(self.images)

    def compute(self) -> dict[str, Any]:
        """:data:`FIGURES`, ``per_class`` {name: {``AP``, ``AP50``, ``objects``}}, and ``errors``: see
        :func:`edgectl.metrics.error_types.error_types`."""
        curves = coco_curves(self.images, len(self._classes), library=self._library)
        labels = [p.truth_labels[~p.truth_crowd] for p in self.images]
        counts = np.bincount(
            np.concatenate(labels) if labels else np.zeros(0, np.int64),
            minlength=len(self._classes),
        )
        per_class = {
            name: {
                "AP": mean_of(curves.precision[:, :, i, 0, -1]),
                "AP50": mean_of(curves.precision[_IOU_50, :, i, 0, -1]),
                "objects": int(counts[i]),
            }
            for i, name in enumerate(self._classes)
        }
        return {
            **dict(zip(FIGURES, _twelve(curves), strict=True)),
            "per_class": per_class,
            "errors": error_types(self.images, self._classes),
        }


class PrecisionMetric(DetectionMetric):
    """Only ``AP``, ``AP50`` and ``AP75``: a fraction of the time, for every epoch of a training."""

    def compute(self) -> dict[str, Any]:
        """The three figures."""
        curves = coco_curves(
            self.images,
            len(self._classes),
            areas=("all",),
            limits=MAX_DETECTIONS[-1:],
            library=self._library,
        )
        p = curves.precision
        return {"AP": mean_of(p), "AP50": mean_of(p[_IOU_50]), "AP75": mean_of(p[_IOU_75])}


def in_original_pixels(detections: list[Detections], targets: Targets) -> list[ImageBoxes]:
    """Undoes the letterbox; crowd regions are part of the truth here.

    Raises:
        EdgectlError: targets without their source images.
    """
    if targets.sources is None:
        raise EdgectlError(
            "these targets do not say which images they come from",
            where="detection metric",
            fix="score the batches of an EvalLoader, which fills Targets.sources",
        )
    images = []
    for found, source in zip(detections, targets.sources, strict=True):
        sample = source.sample
        boxes = source.to_original(found.boxes_xyxy.detach().cpu().numpy())
        # an inverted box would have an area below every size range, and go unpunished
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
        images.append(
            ImageBoxes(
                truth_xyxy=sample.boxes_xyxy,
                truth_labels=sample.labels,
                truth_crowd=sample.crowd,
                truth_areas=sample.object_areas(),
                boxes_xyxy=boxes,
                labels=found.labels.detach().cpu().numpy(),
                scores=found.scores.detach().cpu().numpy(),
                truth_sides=source.geometry.longer_sides(sample.boxes_xyxy),
            )
        )
    return images


def mean_of(values: np.ndarray) -> float:
    """Average those that can be measured; -1 without any."""
    measured = values[values > -1]
    return float(measured.mean()) if measured.size else -1.0


def _twelve(curves: Curves) -> list[float]:
    precision, recall = curves.precision, curves.recall
    sizes = range(1, len(AREAS))
    return [
        mean_of(precision[:, :, :, 0, -1]),
        mean_of(precision[_IOU_50, :, :, 0, -1]),
        mean_of(precision[_IOU_75, :, :, 0, -1]),
        *(mean_of(precision[:, :, :, a, -1]) for a in sizes),
        *(mean_of(recall[:, :, 0, m]) for m in range(len(MAX_DETECTIONS))),
        *(mean_of(recall[:, :, a, -1]) for a in sizes),
    ]
