"""What a model finds in an image, in the image's own pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from edgectl.data.images.preprocess import resize_image
from edgectl.evaluation.evaluate import EvaluationTarget
from edgectl.labels import Detections

_SHOWN_CLASSES = 5
_COLOURS = ((75, 180, 60), (60, 60, 230), (255, 130, 0), (0, 190, 255), (220, 60, 200))
"""bgr, by class."""


def find(model: EvaluationTarget, image_bgr: np.ndarray) -> list[dict[str, Any]]:
    """``label``, ``score`` and, of boxes and centers, ``box`` [x0, y0, x1, y1]; best first.

    Of a classifier: the five likeliest classes, without a box.
    """
    pixels, geometry = resize_image(image_bgr, model.preprocess)
    outputs = model.predict(pixels[None])
    (found,) = model.postprocess(outputs, model.outputs)
    boxes = _in_image(found, geometry.to_original, image_bgr.shape)
    rows = []
    for k, (label, score) in enumerate(zip(found.labels, found.scores, strict=True)):
        row: dict[str, Any] = {"label": model.classes[int(label)], "score": round(float(score), 4)}
        if len(boxes):
            row["box"] = [round(float(v), 2) for v in boxes[k]]
        rows.append(row)
    return rows if len(boxes) or not rows else rows[:_SHOWN_CLASSES]


def _in_image(found: Detections, to_original: Any, shape: tuple[int, ...]) -> np.ndarray:
    """(K, 4) clipped to the image."""
    if not len(found.boxes_xyxy):
        return np.zeros((0, 4))
    limit = np.array([shape[1], shape[0]] * 2, np.float32)
    return np.asarray(np.clip(to_original(found.boxes_xyxy.numpy()), 0, limit))


def draw(image_bgr: np.ndarray, rows: list[dict[str, Any]], classes: tuple[str, ...]) -> np.ndarray:
    """A copy with what was found drawn in."""
    canvas = image_bgr.copy()
    width = max(1, round(max(canvas.shape[:2]) / 400))
    for k, row in enumerate(rows):
        color = _COLOURS[classes.index(row["label"]) % len(_COLOURS)]
        text = f"{row['label']} {row['score']:.2f}"
        at = (4, 18 * width * (k + 1))
        if "box" in row:
            x0, y0, x1, y1 = (round(v) for v in row["box"])
            cv2.rectangle(canvas, (x0, y0), (x1, y1), color, width)
            at = (x0, max(10, y0 - 3))
        for thickness, ink in ((3 * width, (0, 0, 0)), (width, color)):
            cv2.putText(
                canvas,
                text,
                at,
                cv2.FONT_HERSHEY_SIMPLEX,
                0.45 * width,
                ink,
                thickness,
                cv2.LINE_AA,
            )
    return canvas
