"""Key points as edgectl carries them, and what a pointer shows.

Core moves boxes through resizing, EXIF rotation, sheets and checks. A key point is therefore a mark: a
small box around it, labelled with the point's name, whose center is the point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from edgectl.labels import Sample

MARK = 10.0
"""Side of a mark, pixels."""
DIAL = ("center", "tip", "start", "end")
"""Names of the points a reading is computed from."""
_TURN = 2 * math.pi


@dataclass(frozen=True)
class DialSample(Sample):
    """An image of a dial.

    Attributes:
        reading: share of the scale the pointer shows, 0 at its start, 1 at its end.
    """

    reading: float = 0.0

    def own_labels(self) -> bytes:
        """The reading is a label as well: a set with another one is another set."""
        return np.float64(self.reading).tobytes()


def mark_points(points: np.ndarray) -> np.ndarray:
    """(P, 2) x, y to (P, 4) float32 boxes around them."""
    return np.concatenate([points - MARK / 2, points + MARK / 2], axis=1).astype(np.float32)


def centers_of(boxes_xyxy: Tensor, labels: Tensor) -> Tensor:
    """(P, 4) marks to (P, 2) points, in the order of the labels."""
    ordered = boxes_xyxy[labels.argsort()]
    return (ordered[:, :2] + ordered[:, 2:]) / 2


def read_dial(points: Mapping[str, Sequence[float]]) -> float | None:
    """What the pointer shows, 0 to 1; None without the four points of :data:`DIAL`.

    Scales run clockwise. A pointer in the gap between the scale's end and its start shows the nearer one.
    """
    if not set(DIAL) <= set(points):
        return None
    x, y = points["center"]
    # y points down, so growing angles are clockwise
    tip, start, end = (math.atan2(points[n][1] - y, points[n][0] - x) for n in DIAL[1:])
    sweep, shown = (end - start) % _TURN, (tip - start) % _TURN
    if shown > sweep:
        return 1.0 if shown - sweep < _TURN - shown else 0.0
    return shown / sweep if sweep else 0.0
