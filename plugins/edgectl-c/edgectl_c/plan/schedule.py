"""The order of rows inside a segment: each step runs as late as it can, so that few rows wait.

Steps that nothing in the segment reads pull; in turn, in proportion to their height. A tensor that lives in
the segment only is a ring of as many rows as ever wait at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgectl_c.plan.network import Network


@dataclass
class Segment:
    """Steps ``first`` to ``last`` (excluded).

    Attributes:
        order: the step that runs, at each moment.
        rings: buffer -> rows it keeps, for those no other segment uses.
        peak: bytes at the worst moment, whole tensors that other segments hand through included.
    """

    first: int
    last: int
    order: list[int]
    rings: dict[int, int]
    peak: int


@dataclass(frozen=True)
class Lives:
    """For each buffer: step that writes it (-1: there from the start), steps that read it, and whether it
    has to be there at the end."""

    writer: list[int]
    readers: list[list[int]]
    kept: list[bool]

    def last(self, buffer: int, steps: int) -> int:
        """The step after which nobody needs it."""
        if self.kept[buffer]:
            return steps
        return max([*self.readers[buffer], self.writer[buffer]])


def lives_of(network: Network) -> Lives:
    """Who writes and reads each buffer."""
    count = len(network.buffers)
    lives = Lives([-1] * count, [[] for _ in range(count)], [False] * count)
    for k, step in enumerate(network.steps):
        lives.writer[step.output] = k
        for read in step.reads:
            if not lives.readers[read.buffer] or lives.readers[read.buffer][-1] != k:
                lives.readers[read.buffer].append(k)
    for buffer in network.outputs:
        lives.kept[buffer] = True
    return lives


class Simulation:
    """Runs the rows of one segment; see :func:`schedule`."""

    def __init__(
        self, network: Network, lives: Lives, first: int, last: int, growing: bool
    ) -> None:
        self.network, self.lives, self.first, self.last = network, lives, first, last
        self.done = dict.fromkeys(range(first, last), 0)
        self.order: list[int] = []
        steps = network.steps[first:last]
        self.internal = {s.output for s in steps if lives.last(s.output, len(network.steps)) < last}
        self.rings = dict.fromkeys(self.internal, 0)
        self.growing = growing
        # a whole tensor that dies here gives its rows back one by one
        self.dying = {
            read.buffer
            for s in steps
            for read in s.reads
            if read.buffer not in self.internal
            and lives.last(read.buffer, len(network.steps)) < last
        }
        self.waiting = {
            b: [(k, self._spans(k, b)) for k in lives.readers[b] if first <= k < last]
            for b in self.internal | self.dying
        }
        self.freed = dict.fromkeys(self.dying, 0)
        whole = {s.output for s in steps} - self.internal
        self.grown = 0 if growing else sum(network.buffers[b].nbytes for b in whole)
        self.most = self.grown

    def _spans(self, k: int, buffer: int) -> list[int]:
        """First row of a buffer that step ``k`` still needs, for each number of rows it has done."""
        step = self.network.steps[k]
        rows = [r.spans for r in step.reads if r.buffer == buffer]
        firsts = [min(s[y][0] for s in rows) for y in range(step.view[0])]
        return [*firsts, self.network.buffers[buffer].height]

    def lowest(self, buffer: int) -> int:
        """First row of a buffer that anybody in the segment still needs."""
        return min((spans[self.done[k]] for k, spans in self.waiting[buffer]), default=0)

    def run(self) -> None:
        """All sinks to their last row."""
        sinks = [k for k in self.done if self.network.steps[k].output not in self.internal] or [
            self.last - 1
        ]
        heights = {k: self.network.steps[k].view[0] for k in sinks}
        while sinks:
            k = min(sinks, key=lambda k: self.done[k] / heights[k])
            self.produce(k, self.done[k])
            sinks = [k for k in sinks if self.done[k] < heights[k]]

    def produce(self, k: int, row: int) -> None:
        """Step ``k`` up to a row, and before it what that row reads."""
        step = self.network.steps[k]
        while self.done[k] <= row:
            y = self.done[k]
            for read in step.reads:
                writer = self.lives.writer[read.buffer]
                if writer >= self.first:
                    needed = read.spans[y][1]
                    if self.done[writer] <= needed:
                        self.produce(writer, needed)
            self._emit(k)

    def _emit(self, k: int) -> None:
        step = self.network.steps[k]
        written = step.output
        if written in self.internal:
            held = self.done[k] + 1 - min(self.lowest(written), self.done[k])
            self.rings[written] = max(self.rings[written], held)
        elif self.growing:
            self.grown += self.network.buffers[written].row_bytes
        self.most = max(self.most, self.grown)
        self.order.append(k)
        self.done[k] += 1
        for read in step.reads:
            if self.growing and read.buffer in self.dying:
                low = self.lowest(read.buffer)
                rows = low - self.freed[read.buffer]
                self.grown -= rows * self.network.buffers[read.buffer].row_bytes
                self.freed[read.buffer] = low


def schedule(
    network: Network, lives: Lives, first: int, last: int, *, growing: bool = True
) -> Segment:
    """The rows of steps ``first`` to ``last``.

    Args:
        growing: count the rows of whole tensors that are there, not all of them: what a perfect placement
            would need.
    """
    s = Simulation(network, lives, first, last, growing)
    s.run()
    total = len(network.steps)
    through = sum(
        b.nbytes
        for i, b in enumerate(network.buffers)
        if lives.writer[i] < first and lives.last(i, total) >= first
    )
    buffers = network.buffers
    rings = {b: min(rows, buffers[b].height) for b, rows in s.rings.items()}
    ring_bytes = sum(rows * buffers[b].row_bytes for b, rows in rings.items())
    return Segment(first, last, s.order, rings, through + ring_bytes + s.most)
