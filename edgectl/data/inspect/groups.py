"""Groups of images that show the same, in time that grows with images, not with pairs of copies.

Five thousand frames of a fixed camera are one group, and twelve million pairs. An image is compared with
those that stand for the groups found so far: with the few most like it, until it belongs somewhere. Only an
image that differs visibly from those stands for its group as well, so that a scene that drifts
slowly stays one group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from edgectl.data.inspect.similarity import (
    MIN_COARSE,
    SAME_DETAILS,
    Fingerprint,
    details_agree,
    likely_copies,
    mirrored_coarse,
    show_same,
)

_BLOCK, _COLUMNS = 256, 8192
"""Images compared at once: some MB of cosines, however large the set."""
_NEAREST = 24
_TRIED = 8
"""Of the nearest, how many are looked at in detail before an image is new."""
_SAME_VIEW = 0.97
"""Of details: such an image stands for nothing that another does not."""


def group_copies(
    prints: Sequence[Fingerprint], seen: Callable[[], None] = lambda: None
) -> list[list[int]]:
    """Indices of images that show the same, each group of two or more in ascending order.

    ``seen`` is called once an image.
    """
    grouping = _Grouping(prints)
    for first in range(0, len(prints), _BLOCK):
        grouping.add_block(range(first, min(first + _BLOCK, len(prints))), seen)
    return grouping.groups()


class _Grouping:
    """Union-find over images, and the images that stand for groups."""

    def __init__(self, prints: Sequence[Fingerprint]) -> None:
        self._prints = prints
        self._parent = list(range(len(prints)))
        self._coarse = np.zeros((len(prints), 63), np.float32)
        self._standing: list[int] = []
        """Images that stand for groups; row i of ``_coarse`` is of the i-th."""

    def groups(self) -> list[list[int]]:
        members: dict[int, list[int]] = defaultdict(list)
        for i in range(len(self._parent)):
            members[self._root(i)].append(i)
        return [m for m in members.values() if len(m) > 1]

    def add_block(self, block: range, seen: Callable[[], None]) -> None:
        """Compares the block with all that stand, then its images with one another, in order."""
        coarse = np.stack([self._prints[i].coarse for i in block])
        nearest = self._nearest(coarse)
        within = _cosines(coarse, coarse)
        new: list[int] = []
        for row, image in enumerate(block):
            near = nearest[row] + [
                (float(within[row, k]), block[k]) for k in new if within[row, k] >= MIN_COARSE
            ]
            if self._join(image, sorted(near, key=lambda n: -n[0])[:_NEAREST]):
                new.append(row)
            seen()
        for row in new:
            self._coarse[len(self._standing)] = coarse[row]
            self._standing.append(block[row])

    def _join(self, image: int, near: Sequence[tuple[float, int]]) -> bool:
        """Puts an image with all it shows the same as; returns whether it is to stand for them."""
        thumb = self._prints[image].thumb
        standing, tried = True, 0
        views: list[tuple[np.ndarray, np.ndarray]] = []
        others = [other for _, other in near]
        for k, other in enumerate(others):
            if tried >= _TRIED:
                break
            if self._root(other) == self._root(image):
                continue
            theirs = self._prints[other].thumb
            agreement = details_agree(theirs, thumb)
            same = agreement >= SAME_DETAILS
            if not same:
                # only now: most copies are told as they lie, and most others by this
                views = views or self._views(thumb, others)
                fits = [view for view, likely in views if likely[k]]
                tried += bool(fits)
                same = any(show_same(theirs, view) for view in fits)
            if same:
                self._parent[self._root(image)] = self._root(other)
                standing = standing and agreement < _SAME_VIEW
        return standing

    def _views(
        self, thumb: np.ndarray, others: Sequence[int]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """The image and its mirror image, each with which of ``others`` it may be a copy of."""
        theirs = [self._prints[o].thumb for o in others]
        flipped = np.ascontiguousarray(thumb[:, ::-1])
        return [(view, likely_copies(view, theirs)) for view in (thumb, flipped)]

    def _nearest(self, coarse: np.ndarray) -> list[list[tuple[float, int]]]:
        """For each row the standing images most like it, (cosine, image), in no order."""
        found: list[list[tuple[float, int]]] = [[] for _ in coarse]
        for first in range(0, len(self._standing), _COLUMNS):
            last = min(first + _COLUMNS, len(self._standing))
            cosines = _cosines(coarse, self._coarse[first:last])
            best = np.argpartition(-cosines, min(_NEAREST, last - first) - 1, axis=1)[:, :_NEAREST]
            for row, columns in enumerate(best):
                found[row] += [
                    (float(cosines[row, c]), self._standing[first + c])
                    for c in columns.tolist()
                    if cosines[row, c] >= MIN_COARSE
                ]
        return found

    def _root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i


def _cosines(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Of each pair, as it lies or mirrored, whichever is larger: (R, C) float32."""
    cosines: np.ndarray = np.maximum(rows @ columns.T, mirrored_coarse(rows) @ columns.T)
    return cosines
