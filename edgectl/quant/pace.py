"""Progress lines that say how long it still takes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from torch import Tensor

from edgectl.quant.evidence import SIDE
from edgectl.spec import Progress

_QUIET = 5.0
"""Seconds between lines that only say that something is still going on."""


class Pace:
    """Counts images run through the network; a run with rounding counts one and a half.

    Args:
        observed: images the statistics are taken from.
        observers: rules for ranges that are judged.
    """

    def __init__(self, progress: Progress, observed: int, observers: int) -> None:
        self._progress = progress
        self._expected = 2.0 * observed + 8.0 * SIDE + 2.0 * SIDE * (observers + 6)
        self._done = 0.0
        self._start = self._last = time.perf_counter()

    def counted(self, chunks: Iterable[Tensor], cost: float = 2.0) -> Iterator[Tensor]:
        """The same chunks; ``cost`` of one image."""
        for chunk in chunks:
            yield chunk
            self._done += cost * len(chunk)
            if time.perf_counter() - self._last > _QUIET:
                self.say("looking at the images")

    def count(self, images: int, cost: float) -> None:
        """Images that were run through the network elsewhere; ``cost`` of one."""
        self._done += cost * images

    def say(self, words: str) -> None:
        """One line."""
        self._last = now = time.perf_counter()
        # a network may take more steps than most do
        self._expected = max(self._expected, self._done)
        left = (now - self._start) * (self._expected / max(self._done, 1.0) - 1.0)
        self._progress(f"{words} (about {left:.0f} s left)" if left >= 1.0 else words)
