"""Results in an image's own pixels: as JSON values, and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from edgectl.labels import Detections, Geometry
from edgectl.spec import Size

_COLORS = ((75, 180, 60), (60, 60, 230), (255, 130, 0), (0, 190, 255), (220, 60, 200))
"""bgr, by class."""


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
    canvas = image_bgr.copy()
    width = line_width(canvas)
    for k, row in enumerate(rows):
        color = color_of(row["label"], classes)
        at = (4, 18 * width * (k + 1))
        if "box" in row:
            x0, y0, x1, y1 = (round(v) for v in row["box"])
            cv2.rectangle(canvas, (x0, y0), (x1, y1), color, width)
            at = (x0, max(10, y0 - 3))
        write_on(canvas, f"{row['label']} {row['score']:.2f}", at, color)
    return canvas


def line_width(image: np.ndarray) -> int:
    """Pixels a line must have to be seen on the whole image."""
    height, width = image.shape[:2]
    return max(1, round(max(int(height), int(width)) / 400))


def color_of(label: str, classes: Sequence[str]) -> tuple[int, int, int]:
    """bgr; classes far apart in the list may share one."""
    return _COLORS[list(classes).index(label) % len(_COLORS)]


def write_on(
    canvas: np.ndarray, text: str, at: tuple[int, int], color: tuple[int, int, int]
) -> None:
    """Writes text with a dark edge, its lower left corner at ``at`` (x, y)."""
    width = line_width(canvas)
    for thickness, ink in ((3 * width, (0, 0, 0)), (width, color)):
        cv2.putText(
            canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45 * width, ink, thickness, cv2.LINE_AA
        )
