"""Where to cut a network into segments: by dynamic programming, the worst segment as small as can be."""

from __future__ import annotations

from edgectl_c.plan.network import Network
from edgectl_c.plan.schedule import Lives, Segment, schedule

LONGEST = 40
"""Steps of a segment. Longer ones were never better in the networks at hand, and take long to search."""


def cut(network: Network, lives: Lives, *, growing: bool, longest: int = LONGEST) -> list[Segment]:
    """Segments in order: least peak, then least sum of peaks. ``growing``: see :func:`schedule`."""
    total = len(network.steps)
    through = _bytes_across(network, lives)
    best: list[tuple[int, int, Segment | None]] = [(0, 0, None)]
    for last in range(1, total + 1):
        found: tuple[int, int, Segment | None] | None = None
        for first in range(last - 1, max(-1, last - 1 - longest), -1):
            before = best[first]
            # what is whole at the cut has to be there in either segment
            if found is not None and max(before[0], through[first]) >= found[0]:
                continue
            segment = schedule(network, lives, first, last, growing=growing)
            value = (max(before[0], segment.peak), before[1] + segment.peak, segment)
            if found is None or value[:2] < found[:2]:
                found = value
        assert found is not None
        best.append(found)
    segments: list[Segment] = []
    at = total
    while at:
        chosen = best[at][2]
        assert chosen is not None
        segments.append(chosen)
        at = chosen.first
    return segments[::-1]


def _bytes_across(network: Network, lives: Lives) -> list[int]:
    """Bytes of the tensors that are whole at each place a cut can be."""
    total = len(network.steps)
    return [
        sum(
            b.nbytes
            for i, b in enumerate(network.buffers)
            if lives.writer[i] < k <= lives.last(i, total)
        )
        for k in range(total + 1)
    ]
