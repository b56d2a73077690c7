"""Boxes of one image on their way into a sample: clipped, checked, counted."""

from __future__ import annotations

import numpy as np

from edgectl.data.index import Repair
from edgectl.errors import DataError

_WORTH_A_WORD = 1.0
"""Pixels: annotation tools round, half a pixel over the edge is nothing."""
_LONGEST_SIDE = 2**31 - 1
"""Pixels: no image format counts further."""


def require_size(size: tuple[int, int], file: str, where: str, fix: str) -> None:
    """size: (width, height) as an annotation states it. Raises DataError for sizes of no image."""
    if all(0 < side <= _LONGEST_SIDE for side in size):
        return
    shown = "x".join(str(side) if abs(side) <= _LONGEST_SIDE else "(too large)" for side in size)
    raise DataError(f"{file} is {shown}", where=where, fix=fix)


class BoxCollector:
    """Takes boxes as a file states them and keeps those that can be used.

    Args:
        size: (width, height) of the image.
        file: for repairs.
        repairs: receives what was left out or clipped.
    """

    def __init__(self, size: tuple[int, int], file: str, repairs: list[Repair]) -> None:
        self._size, self._file, self._repairs = size, file, repairs
        self._boxes: list[list[float]] = []
        self._labels: list[int] = []
        self._crowd: list[bool] = []
        self._areas: list[float] = []

    def add(
        self,
        corners: tuple[float, float, float, float],
        label: int,
        *,
        crowd: bool = False,
        area: float | None = None,
        shown: str = "",
    ) -> None:
        """corners: x0 y0 x1 y1, pixels. area: as annotated. shown: the box in the file's own words."""
        width, height = self._size
        x0, y0, x1, y1 = corners
        shown = shown or f"[{x0:g}, {y0:g}, {x1:g}, {y1:g}]"
        if x1 <= x0 or y1 <= y0:
            self._repairs.append(Repair("zero_size_box", self._file, f"{shown} left out"))
            return
        clipped = [min(max(x0, 0.0), width), min(max(y0, 0.0), height)]
        clipped += [min(max(x1, 0.0), width), min(max(y1, 0.0), height)]
        # as they will be kept: a box may be thinner than float32 can say
        kept = np.asarray(clipped, np.float32)
        if kept[2] <= kept[0] or kept[3] <= kept[1]:
            inside = clipped[2] > clipped[0] and clipped[3] > clipped[1]
            kind = "zero_size_box" if inside else "box_outside"
            self._repairs.append(Repair(kind, self._file, f"{shown} left out"))
            return
        if max(-x0, -y0, x1 - width, y1 - height) > _WORTH_A_WORD:
            reach = f"{shown} reaches out of {width}x{height}"
            self._repairs.append(Repair("box_clipped", self._file, reach))
        self._boxes.append(clipped)
        self._labels.append(label)
        self._crowd.append(crowd)
        self._areas.append((x1 - x0) * (y1 - y0) if area is None else area)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(N, 4) float32 corners, (N,) int64 labels, (N,) bool crowd, (N,) float32 areas."""
        return (
            np.array(self._boxes, np.float32).reshape(-1, 4),
            np.array(self._labels, np.int64),
            np.array(self._crowd, bool),
            np.array(self._areas, np.float32),
        )
