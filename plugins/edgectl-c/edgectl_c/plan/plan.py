"""A plan: the segments of a network and where each buffer lies. The same program gives the same plan."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from edgectl.quant.integer.program import Program
from edgectl_c.plan.network import Network, read_network
from edgectl_c.plan.placement import place
from edgectl_c.plan.schedule import Segment, lives_of
from edgectl_c.plan.segments import cut


@dataclass(frozen=True)
class Plan:
    """Attributes:
    offsets: of each buffer, in bytes from the arena's start.
    rows: of each buffer, how many of its rows are kept.
    arena_bytes: all of it; the input is in it where it is whole.
    camera_rows: the first step takes rows from the camera.
    """

    network: Network
    segments: list[Segment]
    offsets: dict[int, int]
    rows: dict[int, int]
    arena_bytes: int
    camera_rows: bool

    @property
    def order(self) -> list[int]:
        """The step that runs, at each moment."""
        return [k for segment in self.segments for k in segment.order]

    def runs(self) -> Iterator[tuple[int, int]]:
        """(step, rows in succession)."""
        for k, group in itertools.groupby(self.order):
            yield k, sum(1 for _ in group)


def make_plan(program: Program, *, camera_rows: bool = False) -> Plan:
    """Raises UnsupportedOpError; see :func:`edgectl_c.plan.network.read_network`."""
    network = read_network(program, camera_rows=camera_rows)
    lives = lives_of(network)
    candidates = []
    for growing in (True, False):
        segments = cut(network, lives, growing=growing)
        candidates.append((segments, *place(network, lives, segments)))
    segments, offsets, size = min(candidates, key=lambda c: c[2])
    rings = {b: rows for s in segments for b, rows in s.rings.items()}
    rows = {b: rings.get(b, network.buffers[b].height) for b in offsets}
    return Plan(network, segments, offsets, rows, size, camera_rows)
