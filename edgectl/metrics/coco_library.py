"""Average precision as COCO defines it, computed by faster-coco-eval or, without it, pycocotools.

Both compute the same numbers (a test holds them equal); the former is several times faster. Neither
is given a file: the two data sets are built in memory.

Definition: https://cocodataset.org/#detection-eval
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from edgectl.errors import DependencyError

Library = Literal["faster-coco-eval", "pycocotools"]

AREAS: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""Object area in original pixels, both ends included as in the reference program."""
MAX_DETECTIONS = (1, 10, 100)
"""An image and class."""


@dataclass(frozen=True)
class Curves:
    """What the twelve figures are means of; -1 marks what cannot be measured.

    Attributes:
        precision: (10 IoU thresholds, 101 recalls, classes, areas, limits on detections).
        recall: (10 IoU thresholds, classes, areas, limits on detections).
    """

    precision: np.ndarray
    recall: np.ndarray


@dataclass(frozen=True)
class ImageBoxes:
    """One image in original pixels.

    Attributes:
        truth_xyxy, truth_labels, truth_crowd, truth_areas: (N, 4), (N,), (N,) bool, (N,).
        boxes_xyxy, labels, scores: (K, 4), (K,), (K,) of what was found.
        truth_sides: (N,) longer sides of the objects in network-input pixels; None where the network
            saw the image as it is.
    """

    truth_xyxy: np.ndarray
    truth_labels: np.ndarray
    truth_crowd: np.ndarray
    truth_areas: np.ndarray
    boxes_xyxy: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    truth_sides: np.ndarray | None = None


def installed_library() -> Library:
    """The one used unless another is asked for. Raises DependencyError without any."""
    if importlib.util.find_spec("faster_coco_eval") is not None:
        return "faster-coco-eval"
    if importlib.util.find_spec("pycocotools") is not None:
        return "pycocotools"
    raise DependencyError("no COCO evaluation is installed", fix="pip install faster-coco-eval")


def coco_curves(
    images: Sequence[ImageBoxes],
    num_classes: int,
    *,
    areas: Sequence[str] = tuple(AREAS),
    limits: Sequence[int] = MAX_DETECTIONS,
    library: Library | None = None,
) -> Curves:
    """Matches and accumulates everything.

    areas: names of :data:`AREAS`. limits: ascending numbers of detections an image and class.
    """
    present = sorted({int(c) for p in images for c in p.truth_labels[~p.truth_crowd]})
    shape = (10, 101, num_classes, len(areas), len(limits))
    precision, recall = np.full(shape, -1.0), np.full((10, *shape[2:]), -1.0)
    if not present:
        return Curves(precision, recall)
    truth = [_rows(i, p, present, found=False) for i, p in enumerate(images)]
    found = [_rows(i, best_of(p, limits[-1]), present, found=True) for i, p in enumerate(images)]
    head = {
        "images": [{"id": i} for i in range(len(images))],
        "categories": [{"id": c, "name": str(c)} for c in present],
    }
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints how long it took
        evaluation = _evaluation(library or installed_library(), head, truth, found)
        evaluation.params.areaRng = [list(AREAS[a]) for a in areas]
        evaluation.params.areaRngLbl = list(areas)
        evaluation.params.maxDets = list(limits)
        evaluation.evaluate()
        evaluation.accumulate()
    # a class without objects is left out of every mean, so it need not be computed
    precision[:, :, present] = np.reshape(
        evaluation.eval["precision"], (*shape[:2], -1, *shape[3:])
    )
    recall[:, present] = np.reshape(evaluation.eval["recall"], (10, -1, *shape[3:]))
    return Curves(precision, recall)


def best_of(image: ImageBoxes, limit: int) -> ImageBoxes:
    """The image with the ``limit`` best detections of each class, by descending score.

    More are never looked at, but cost time to hand over.
    """
    order = np.argsort(-image.scores, kind="stable")
    labels = image.labels[order]
    kept = [order[labels == c][:limit] for c in np.unique(labels)]
    chosen = np.concatenate(kept) if kept else order
    return replace(
        image,
        boxes_xyxy=image.boxes_xyxy[chosen],
        labels=image.labels[chosen],
        scores=image.scores[chosen],
    )


def _rows(
    image_id: int, image: ImageBoxes, present: Sequence[int], *, found: bool
) -> list[dict[str, Any]]:
    """COCO annotations without ids."""
    if found:
        boxes, labels = image.boxes_xyxy.astype(np.float64), image.labels
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        scores, crowd = image.scores.tolist(), [0] * len(labels)
    else:
        boxes, labels = image.truth_xyxy.astype(np.float64), image.truth_labels
        areas = image.truth_areas
        scores, crowd = [0.0] * len(labels), image.truth_crowd.astype(int).tolist()
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    return [
        {
            "image_id": image_id,
            "category_id": label,
            "bbox": box,
            "area": area,
            "score": score,
            "iscrowd": is_crowd,
        }
        for label, box, area, score, is_crowd in zip(
            labels.tolist(), sizes, areas.tolist(), scores, crowd, strict=True
        )
        if label in present
    ]


def _evaluation(
    library: Library,
    head: dict[str, Any],
    truth: list[list[dict[str, Any]]],
    found: list[list[dict[str, Any]]],
) -> Any:
    if library == "faster-coco-eval":
        module = importlib.import_module("faster_coco_eval.core")
        coco, evaluator = module.COCO, module.COCOeval_faster
    else:
        coco = importlib.import_module("pycocotools.coco").COCO
        evaluator = importlib.import_module("pycocotools.cocoeval").COCOeval
    sides = []
    for side in (truth, found):
        # ids from 1: both libraries take 0 for "unmatched"
        rows = [row for image in side for row in image]
        documented = coco()
        documented.dataset = {
            **head,
            "annotations": [{**row, "id": i} for i, row in enumerate(rows, start=1)],
        }
        documented.createIndex()
        sides.append(documented)
    return evaluator(*sides, iouType="bbox")
