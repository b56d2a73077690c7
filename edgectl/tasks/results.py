"""Results in an image's own pixels: as JSON values, and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgectl.data.images.annotate import Mark, annotate, color_class
from edgectl.labels import Detections, Geometry
from edgectl.spec import Size


def describe_boxes(
    found: Detections, geometry: Geometry, size: Size, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """``label``, ``score`` and ``box`` [x0, y0, x1, y1], clipped to an image of ``size`` (height, width)."""
    limit = np.array([size[1], size[0]] * 2, np.float32)
    boxes = np.clip(geometry.to_original(found.boxes_xyxy.numpy()), 0, limit)
    rows = describe_classes(found, classes)
    for row, box in zip(rows, boxes, strict=True):
        row["box"] = [round(float(v), 2) for v in box]
    return rows


def describe_classes(found: Detections, classes: Sequence[str]) -> list[dict[str, Any]]:
    """``label`` and ``score``."""
    return [
        {"label": classes[int(label)], "score": round(float(score), 4)}
        for label, score in zip(found.labels, found.scores, strict=True)
    ]


def summarize_rows(rows: Sequence[dict[str, Any]]) -> str:
    """``mask 0.93, no-mask 0.41``"""
    return ", ".join(f"{r['label']} {r['score']:.2f}" for r in rows)


def draw_rows(
    image_bgr: np.ndarray, rows: list[dict[str, Any]], classes: Sequence[str]
) -> np.ndarray:
    """A copy with names and scores; with boxes where there are any, else one under the other."""
    names = list(classes)
    marks = [
        Mark(
            f"{row['label']} {row['score']:.2f}",
            color_class(names.index(row["label"])),
            row.get("box"),
        )
        for row in rows
    ]
    return annotate(image_bgr, marks)
