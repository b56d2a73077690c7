"""Key points from the raw head, by the rule of ``model.json``. NumPy alone: it runs on boards."""

from __future__ import annotations

import numpy as np

MARK = 10.0


def decode(heads, model):
    """heads: {name: float32 (2 * points,)}. [(point, 1.0, a small box around it)] in input pixels."""
    (rule,) = model["decode"]["heads"]
    rows, columns = model["input_size"]
    sides = np.array([columns, rows], np.float32)
    points = np.clip(heads[rule["name"]].reshape(-1, 2) * sides, 0, sides)
    half = MARK / 2
    return [
        (k, 1.0, (float(x - half), float(y - half), float(x + half), float(y + half)))
        for k, (x, y) in enumerate(points)
    ]
