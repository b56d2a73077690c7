"""Boxes around masks that are written as run lengths, plain or compressed as COCO's tools do it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_MOST_PIXELS = 1 << 28
"""No image of a data set has more; a size beyond would ask for all memory there is."""


def around_run_lengths(segmentation: dict[str, Any]) -> list[float] | None:
    """[x, y, width, height] of ``{"size": [height, width], "counts": ...}``, in pixels; None for an empty
    mask and for what is none.

    Counts are a list of numbers, or text in the form of COCO's tools (``maskApi.c`` of
    https://github.com/cocodataset/cocoapi). Those tools trust the text: a cut one makes them read beyond
    its end, so it is read here.
    """
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(_is_count(n) for n in size):
        return None
    height, width = size
    if not 0 < height * width <= _MOST_PIXELS:
        return None
    if isinstance(counts, str):
        counts = _decode(counts)
    if not isinstance(counts, list) or not all(_is_count(n) for n in counts):
        return None
    if sum(counts) != height * width:
        return None
    return _around(np.cumsum([0, *counts]), height)


def _is_count(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and math.isfinite(value)
        and value >= 0
        and value == int(value)
    )


def _around(edges: np.ndarray, height: int) -> list[float] | None:
    """edges: where runs begin, column by column; every second run is of the mask."""
    begins, ends = edges[1:-1:2], edges[2::2]
    used = ends > begins
    if not used.any():
        return None
    first, last = begins[used].astype(np.int64), ends[used].astype(np.int64) - 1
    left, right = int(first.min() // height), int(last.max() // height)
    # a run over the end of a column touches its last row, and the first of the next
    wraps = bool((first // height != last // height).any())
    top = 0 if wraps else int((first % height).min())
    bottom = height - 1 if wraps else int((last % height).max())
    return [float(left), float(top), float(right - left + 1), float(bottom - top + 1)]


def _decode(text: str) -> list[int] | None:
    """``rleFrString`` of maskApi.c: five bits a character from 48 on, the sixth says that more follow;
    from the fourth on, a number is the difference to the one before the last."""
    counts: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            if at >= len(text) or not 0 <= (c := ord(text[at]) - 48) < 64 or shift > 60:
                return None
            value |= (c & 0x1F) << shift
            more = bool(c & 0x20)
            at, shift = at + 1, shift + 5
            if not more and c & 0x10:
                value |= -1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
    return counts
