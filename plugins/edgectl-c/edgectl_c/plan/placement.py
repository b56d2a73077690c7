"""A place in the arena for every buffer.

At each moment a buffer's live bytes are a range: the rows written and still needed. Two buffers may share
addresses while their ranges never meet, so that an output grows into the input it is computed from, and a sum
is written over its operand.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from edgectl_c.plan.network import Network
from edgectl_c.plan.schedule import Lives, Segment

ALIGNMENT = 4
_WORK = 400_000
_RESTLESS = 0.05

Forbidden = tuple[int, int]
"""Distances strictly between these would let two buffers meet."""


@dataclass
class Life:
    """A buffer over the moments ``start`` to ``stop`` (excluded): live bytes from ``low`` to ``high``.

    ``after``: ``low`` once the step of that moment has read its rows, for steps that work in place.
    """

    buffer: int
    nbytes: int
    start: int
    stop: int
    low: np.ndarray
    high: np.ndarray
    after: np.ndarray


def place(network: Network, lives: Lives, segments: list[Segment]) -> tuple[dict[int, int], int]:
    """(offset of each buffer, bytes of the arena): the lowest free place in many orders, the best kept.

    Whoever ends at the top is placed earlier the next time.
    """
    spans = _lives(network, lives, segments)
    order = [k for s in segments for k in s.order]
    forbidden = _all_forbidden(network, order, spans)
    generator = random.Random(0)  # noqa: S311 - no secret: the same network gives the same plan
    bound = _busiest(spans, len(order))
    tries = max(40, min(400, _WORK // max(1, sum(map(len, forbidden.values())))))
    best: tuple[dict[int, int], int] | None = None
    for key in (_by_size, _by_area, _by_start):
        ranked = sorted(spans, key=key)
        offsets, size = _greedy(ranked, forbidden)
        for _ in range(tries):
            if best is None or size < best[1]:
                best = offsets, size
            if best[1] < bound + ALIGNMENT:
                return best
            tops = [s for s in ranked if offsets[s.buffer] + s.nbytes == size]
            at = ranked.index(generator.choice(tops))
            tried = ranked.copy()
            tried.insert(generator.randrange(at + 1), tried.pop(at))
            found, reached = _greedy(tried, forbidden)
            # a little worse is taken now and then, to leave a dead end
            if reached <= size or generator.random() < _RESTLESS:
                ranked, offsets, size = tried, found, reached
    assert best is not None
    return best


def _by_size(life: Life) -> tuple[int, ...]:
    return -life.nbytes, life.start


def _by_area(life: Life) -> tuple[int, ...]:
    return -life.nbytes * (life.stop - life.start), life.start


def _by_start(life: Life) -> tuple[int, ...]:
    return life.start, -life.nbytes


def _all_forbidden(
    network: Network, order: list[int], spans: list[Life]
) -> dict[int, dict[int, list[Forbidden]]]:
    """buffer -> the buffers that are alive at the same time -> distances to it that are not allowed."""
    found: dict[int, dict[int, list[Forbidden]]] = {s.buffer: {} for s in spans}
    for i, a in enumerate(spans):
        for b in spans[i + 1 :]:
            edges = _forbidden(network, order, a, b)
            if edges:
                found[b.buffer][a.buffer] = edges
                found[a.buffer][b.buffer] = [(-high, -low) for low, high in edges]
    return found


def _greedy(
    ranked: list[Life], forbidden: dict[int, dict[int, list[Forbidden]]]
) -> tuple[dict[int, int], int]:
    offsets: dict[int, int] = {}
    size = 0
    for life in ranked:
        taken = sorted(
            (offsets[other] + low, offsets[other] + high)
            for other, edges in forbidden[life.buffer].items()
            if other in offsets
            for low, high in edges
        )
        offset = 0
        for low, high in taken:
            if low < offset < high:
                offset = -(-high // ALIGNMENT) * ALIGNMENT
        offsets[life.buffer] = offset
        size = max(size, offset + life.nbytes)
    return offsets, size


def _forbidden(network: Network, order: list[int], a: Life, b: Life) -> list[Forbidden]:
    """Distances from ``a`` to ``b`` at which they meet, merged."""
    start, stop = max(a.start, b.start), min(a.stop, b.stop)
    if start >= stop:
        return []
    mine, theirs = slice(start - a.start, stop - a.start), slice(start - b.start, stop - b.start)
    a_low, a_high, b_low, b_high = a.low[mine], a.high[mine], b.low[theirs], b.high[theirs]
    below, above = a_low - b_high, a_high - b_low
    into_b, into_a = _in_place(network, a.buffer, b.buffer), _in_place(network, b.buffer, a.buffer)
    if into_b is not None or into_a is not None:
        steps = np.array(order[start:stop])
        if into_b is not None:
            below = np.where(steps == into_b, a.after[mine] - b_high, below)
        if into_a is not None:
            above = np.where(steps == into_a, a_high - b.after[theirs], above)
    live = (a_high > a_low) & (b_high > b_low)
    edges = np.unique(np.stack([below[live], above[live]], axis=1), axis=0)
    merged: list[Forbidden] = []
    for low, high in edges.tolist():
        if merged and low < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        elif low < high:
            merged.append((low, high))
    return merged


def _in_place(network: Network, read: int, written: int) -> int | None:
    """The step that may write ``written`` over ``read``."""
    for k, step in enumerate(network.steps):
        if step.output == written:
            fits = any(step.reads[i].buffer == read for i in step.in_place)
            return k if fits else None
    return None


def _busiest(spans: list[Life], moments: int) -> int:
    """Live bytes at the worst moment: no placement needs less."""
    total = np.zeros(moments, np.int64)
    for s in spans:
        total[s.start : s.stop] += s.high - s.low
    return int(total.max(initial=0))


def _lives(network: Network, lives: Lives, segments: list[Segment]) -> list[Life]:
    """Of every buffer that is written, and of the input."""
    rings = {b: rows for s in segments for b, rows in s.rings.items()}
    order = [k for s in segments for k in s.order]
    done = [0] * len(network.steps)
    written: dict[int, list[tuple[int, int]]] = {}
    freed: dict[int, list[tuple[int, int]]] = {}
    last = {network.input: 0}
    if lives.writer[network.input] < 0:
        written[network.input] = [(0, network.buffers[network.input].height)]
    for moment, k in enumerate(order):
        step = network.steps[k]
        done[k] += 1
        written.setdefault(step.output, []).append((moment, done[k]))
        last[step.output] = moment
        for read in step.reads:
            last[read.buffer] = moment
            first = min(
                _needed(network, r, read.buffer, done[r]) for r in lives.readers[read.buffer]
            )
            freed.setdefault(read.buffer, []).append((moment + 1, first))
    result = []
    for b, events in written.items():
        buffer = network.buffers[b]
        start, stop = events[0][0], len(order) if lives.kept[b] else last[b] + 1
        if rings.get(b, buffer.height) < buffer.height:
            nbytes = rings[b] * buffer.row_bytes
            low, high = np.zeros(stop - start + 1, np.int64), np.full(stop - start, nbytes)
        else:
            nbytes = buffer.nbytes
            gone = [] if lives.kept[b] else freed.get(b, [])
            low = _filled(gone, start, stop + 1) * buffer.row_bytes
            high = _filled(events, start, stop) * buffer.row_bytes
        result.append(Life(b, nbytes, start, stop, low[:-1], high, low[1:]))
    return result


def _needed(network: Network, k: int, buffer: int, done: int) -> int:
    """First row of a buffer that step ``k`` reads for its next row."""
    step = network.steps[k]
    if done >= step.view[0]:
        return network.buffers[buffer].height
    return min(read.spans[done][0] for read in step.reads if read.buffer == buffer)


def _filled(events: list[tuple[int, int]], start: int, stop: int) -> np.ndarray:
    values = np.zeros(stop - start, np.int64)
    for moment, value in events:
        values[max(0, moment - start) :] = value
    return values
