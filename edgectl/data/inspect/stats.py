"""What is in a data set: the figures of ``data info``."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgectl.data.index import DatasetIndex
from edgectl.labels import Sample

SMALL, MEDIUM = 32**2, 96**2
"""COCO's limits of box area, in original pixels."""


def describe(index: DatasetIndex) -> dict[str, Any]:
    """Name, format, classes, repairs, and per split:

    ``images``, ``empty_images``, ``boxes``, ``classes`` [{name, count}], ``sizes`` {small, medium,
    large}.
    """
    return {
        "name": index.name,
        "format": index.format,
        "classes": list(index.classes),
        "splits": {n: _split(s, index.classes) for n, s in index.splits.items()},
        "made_splits": index.made_splits,
        "repairs": [vars(r) for r in index.repairs],
    }


def _split(samples: tuple[Sample, ...], classes: tuple[str, ...]) -> dict[str, Any]:
    labels = np.concatenate([s.class_labels() for s in samples])
    boxes = np.concatenate([s.boxes_xyxy for s in samples])
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    counts = np.bincount(labels, minlength=len(classes))
    small, large = int((area < SMALL).sum()), int((area >= MEDIUM).sum())
    return {
        "images": len(samples),
        "empty_images": sum(not len(s.class_labels()) for s in samples),
        "boxes": len(boxes),
        "classes": [{"name": n, "count": int(c)} for n, c in zip(classes, counts, strict=True)],
        "sizes": {"small": small, "medium": len(area) - small - large, "large": large},
    }
