"""Boxes of one image on their way into a sample: put right, clipped, checked, counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgectl.data.images.headers import image_size
from edgectl.data.index import Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

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


@dataclass
class StatedBoxes:
    """The boxes of one image, as its file states them.

    Attributes:
        corners: (N, 4) float64 x0 y0 x1 y1, pixels.
        labels: (N,) int64.
        crowd: (N,) bool.
        areas: (N,) float64, None where the file states none.
        ordered: corners mean the same in either order; else a negative side is no box.
    """

    corners: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    areas: np.ndarray | None = None
    ordered: bool = False

    def __post_init__(self) -> None:
        self.corners = np.asarray(self.corners, np.float64).reshape(-1, 4)
        self.labels = np.asarray(self.labels, np.int64).reshape(-1)
        if len(self.crowd) != len(self.labels):
            self.crowd = np.zeros(len(self.labels), bool)


def make_sample(
    image: Path,
    size: tuple[int, int],
    stated: StatedBoxes,
    *,
    file: str,
    split: str,
    classes: Sequence[str],
    repairs: list[Repair],
    shown: Callable[[int], str] | None = None,
) -> Sample:
    """A sample of the boxes that can be used; the others are noted in ``repairs``.

    Args:
        size: (width, height) of the image.
        file: for repairs.
        shown: a box in the file's own words, by its number.
    """
    corners, width, height = stated.corners, *size
    shown = shown or (lambda i: "[" + ", ".join(f"{v:g}" for v in stated.corners[i]) + "]")
    note = _Notes(file, split, classes, stated, shown, repairs)
    if not stated.ordered:
        turned = np.asarray((corners[:, 2:] < corners[:, :2]).any(axis=1))
        corners = np.hstack(
            [np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])]
        )
        note("exchanged_corners", turned, "put right", lost=False)
    flat = (corners[:, 2:] <= corners[:, :2]).any(axis=1)
    limits = np.array([width, height, width, height], np.float64)
    # as they will be kept: a box may be thinner than float32 can say
    clipped = np.clip(corners, 0.0, limits)
    kept32 = clipped.astype(np.float32)
    outside = (clipped[:, 2:] <= clipped[:, :2]).any(axis=1) & ~flat
    thin = (kept32[:, 2:] <= kept32[:, :2]).any(axis=1) & ~flat & ~outside
    reach = np.maximum(-corners[:, :2], corners[:, 2:] - limits[2:]).max(axis=1, initial=0)
    used = ~(flat | outside | thin)
    note("box_clipped", used & (reach > _WORTH_A_WORD), f"reaches out of {width}x{height}", False)
    note("zero_size_box", flat | thin, "left out")
    if outside.any():
        note(
            "box_outside",
            outside,
            f"left out: outside of {width}x{height}{_other_size(image, size)}",
        )
    areas = stated.areas
    return Sample(
        image,
        width,
        height,
        kept32[used],
        stated.labels[used],
        stated.crowd[used],
        None if areas is None else areas[used].astype(np.float32),
    )


def _other_size(image: Path, size: tuple[int, int]) -> str:
    """In words, where the image is of another size than stated: then that is why."""
    try:
        true = image_size(image)
    except DataError:
        return ""
    return "" if true == size else f", and the image is {true[0]}x{true[1]}"


@dataclass
class _Notes:
    """Repairs of one image: one a kind, and one a class where labels are lost."""

    file: str
    split: str
    classes: Sequence[str]
    stated: StatedBoxes
    shown: Callable[[int], str]
    repairs: list[Repair]

    def __call__(self, kind: str, which: np.ndarray, what: str, lost: bool = True) -> None:
        found = np.flatnonzero(which)
        if not len(found):
            return
        groups = [found]
        if lost:
            own = self.stated.labels[found]
            groups = [found[own == label] for label in np.unique(own)]
        for group in groups:
            count, first = len(group), self.shown(int(group[0]))
            detail = f"{first} {what}" if count == 1 else f"{count} boxes, the first {first} {what}"
            self.repairs.append(
                Repair(
                    kind,
                    self.file,
                    detail,
                    count,
                    int((~self.stated.crowd[group]).sum()) if lost else 0,
                    self.split,
                    self.classes[int(self.stated.labels[group[0]])] if lost else "",
                )
            )
