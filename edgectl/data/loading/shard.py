"""Which part of every batch a process reads, where several train together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """Process ``rank`` of ``world``. All shuffle alike and draw the same random numbers a position, so the
    parts together are, pixel for pixel, the batch one process would have read."""

    rank: int = 0
    world: int = 1

    def first(self, step: int, batch: int) -> int:
        """Position in the epoch's order where this process's part of a step begins."""
        return (step * self.world + self.rank) * batch

    def before(self, step: int, batch: int) -> int:
        """Position of the image before this process's first in the joint batch, which is a ring."""
        joint = self.world * batch
        return step * joint + (self.rank * batch - 1) % joint

    def steps(self, images: int, batch: int) -> int:
        """Steps an epoch, the same in every process."""
        return max(1, images // (batch * self.world))
