"""What a model finds in an image, in the image's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from edgectl.data.images.preprocess import resize_image
from edgectl.evaluation.evaluate import EvaluationTarget
from edgectl.tasks.lookup import load_task


def find(model: EvaluationTarget, image_bgr: np.ndarray) -> list[dict[str, Any]]:
    """Results as JSON values, best first; the task says which. Of the built-in ones: ``label``, ``score``
    and, of boxes and centers, ``box`` [x0, y0, x1, y1].
    """
    pixels, geometry = resize_image(image_bgr, model.preprocess)
    if model.postprocess is None:
        return describe_outputs(model, model.run(pixels[None]))
    outputs = model.predict(pixels[None])
    (found,) = model.postprocess(outputs, model.outputs)
    height, width = image_bgr.shape[:2]
    return load_task(model.task).describe_results(found, geometry, (height, width), model.classes)


def describe_outputs(model: EvaluationTarget, outputs: list[Tensor]) -> list[dict[str, Any]]:
    """A network's own outputs where nobody said how they are read: ``label`` (the output's name), ``shape``,
    ``least``, ``most``, and the ``index`` of the most."""
    names = [s.name for s in model.outputs] if model.tail is None else model.tail.outputs
    return [
        {
            "label": name,
            "shape": list(y.shape[1:]),
            "least": round(float(y.min()), 6),
            "most": round(float(y.max()), 6),
            "index": int(y.flatten().argmax()),
        }
        for name, y in zip(names, outputs, strict=True)
        if y.numel()
    ]


def summarize(model: EvaluationTarget, rows: list[dict[str, Any]]) -> str:
    """What :func:`find` returned, in a line for people; empty where nothing was found."""
    if model.postprocess is None:
        return ", ".join(f"{r['label']} {r['shape']} {r['least']:g}..{r['most']:g}" for r in rows)
    return load_task(model.task).summarize_results(rows)


def draw(model: EvaluationTarget, image_bgr: np.ndarray, rows: list[dict[str, Any]]) -> np.ndarray:
    """A copy of the image with what :func:`find` returned drawn in."""
    if model.postprocess is None:
        return image_bgr.copy()
    return load_task(model.task).draw_results(image_bgr, rows, model.classes)
