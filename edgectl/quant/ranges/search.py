"""Single ranges by the simulated error at the heads: what the statistics cannot know.

Sensitivities are of small, independent errors. Clipping is neither; so the ranges that cost most are tried
a little narrower and wider with everything else as it is, those first that promise most for the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.head_distance import HeadMeasure
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.choose import predict_errors
from edgectl.quant.ranges.observe import Statistics
from edgectl.quant.ranges.ranges import RangeGroup, bounds, qparams, range_groups
from edgectl.quant.ranges.scheme import QParams
from edgectl.quant.simulate import Simulator
from edgectl.quant.weights import weight_scales

_FACTORS = (0.8, 1.25)
"""Tried on either bound."""

_WORTHWHILE = 0.998
"""A change must lower the error by this factor: less is noise of the images."""

_ELEMENT_SECONDS = 6e-9
"""One element of one tensor computed and rounded, on one core of an ordinary processor. The budget is
counted in this unit, not by the clock, so that the result does not depend on the machine's mood."""

_TAP_BYTES = 600 * 2**20


@dataclass(frozen=True)
class _Task:
    """A group, what its rounding is predicted to cost, and what one trial takes."""

    group: RangeGroup
    stale: set[str]
    predicted: float
    seconds: float


class RangeSearch:
    """Ranges of one graph, changed in place, judged on some images.

    Args:
        quantized: changed in place.
        chunks: (N, C, H, W) images in the lowered domain; as many are used as fit into memory.
        measure: error at the heads of these chunks.

    Attributes:
        error: present error at the heads.
    """

    def __init__(
        self, quantized: QuantizedGraph, chunks: Sequence[Tensor], measure: HeadMeasure
    ) -> None:
        self._simulator = Simulator(quantized)
        self._quantized = quantized
        self._measure = measure
        self._packs = quantized.scheme.rounds == "outputs"
        size = 1 if self._packs else 4
        image = size * sum(math.prod(n.shape) for n in quantized.graph)
        self._chunks = list(chunks)[: max(1, _TAP_BYTES // (image * len(chunks[0])))]
        self.images = sum(len(c) for c in self._chunks)
        self._taps: list[dict[str, Tensor]] = []
        self.error = 0.0
        for i, x in enumerate(self._chunks):
            taps: dict[str, Tensor] = {}
            self.error += measure.error_of(i, self._simulator.run(x, taps=taps))
            self._taps.append(self._packed(taps))

    def _packed(self, taps: dict[str, Tensor]) -> dict[str, Tensor]:
        """As the integers they are: a quarter of the memory, and exact."""
        return {n: self._pack(n, y) for n, y in taps.items()} if self._packs else taps

    def _pack(self, name: str, y: Tensor) -> Tensor:
        q = self._quantized.activations[name]
        return torch.mul(y, 1.0 / q.scale).round_().add_(q.zero_point).to(torch.int8)

    def _unpack(self, name: str, tap: Tensor) -> Tensor:
        if not self._packs:
            return tap
        q = self._quantized.activations[name]
        return tap.float().sub_(q.zero_point).mul_(q.scale)

    def try_range(self, group: RangeGroup, candidate: QParams, stale: set[str]) -> bool:
        """Takes the candidate when that lowers the error. stale: the group's descendants."""
        before = self._quantized.activations[group.name]
        if candidate == before:
            return False
        self._simulator.assign(group.members, candidate)
        graph = self._quantized.graph
        border = {i for n in stale for i in graph[n].inputs if i not in stale}
        border |= {o for o in graph.outputs if o not in stale}
        error = 0.0
        taps: list[dict[str, Tensor]] = []
        for i, x in enumerate(self._chunks):
            seen: dict[str, Tensor] = {}
            known = {n: self._unpack(n, self._taps[i][n]) for n in border}
            error += self._measure.error_of(i, self._simulator.run(x, known=known, taps=seen))
            taps.append(self._packed(seen))
            if not error < self.error * _WORTHWHILE:
                self._simulator.assign(group.members, before)
                return False
        self.error = error
        for mine, new in zip(self._taps, taps, strict=True):
            mine.update(new)
        return True


def search_ranges(
    quantized: QuantizedGraph,
    statistics: Statistics,
    chunks: Sequence[Tensor],
    measure: HeadMeasure,
    *,
    seconds: float,
) -> tuple[QuantizedGraph, int]:
    """A copy with some ranges changed, and how many.

    Args:
        seconds: budget, in seconds of an ordinary core, estimated. Where it does not reach for two runs of
            the whole graph over all images, nothing is searched.
    """
    whole = _seconds(quantized.graph, {n.name for n in quantized.graph}, sum(map(len, chunks)))
    if seconds < 2.0 * whole:
        return quantized, 0
    result = replace(quantized, activations=dict(quantized.activations))
    search = RangeSearch(result, chunks, measure)
    left, changed = seconds - whole, 0
    for task in _tasks(result, statistics, search):
        improved = False
        for bound in (1, 0):
            for factor in _FACTORS:
                if left < task.seconds:
                    break
                ends = list(bounds(result.activations[task.group.name], result.scheme))
                # A bound at zero is a ReLU's: there is nothing on its other side.
                if ends[bound] == 0.0 or (result.scheme.activation_symmetric and bound == 0):
                    continue
                ends[bound] *= factor
                left -= task.seconds
                candidate = qparams(ends[0], ends[1], result.scheme)
                improved |= search.try_range(task.group, candidate, task.stale)
        changed += improved
    result.weight_scales = weight_scales(result.graph, result.activations, result.scheme)
    return result, changed


def _tasks(quantized: QuantizedGraph, statistics: Statistics, search: RangeSearch) -> list[_Task]:
    """Free groups, the most promising for the time first."""
    graph = quantized.graph
    predicted = predict_errors(quantized, statistics)
    tasks = []
    for group in range_groups(graph, quantized.scheme):
        if group.fixed is None:
            stale = graph.descendants(group.members)
            cost = sum(predicted.get(p, 0.0) for p in group.producers)
            tasks.append(_Task(group, stale, cost, _seconds(graph, stale, search.images)))
    return sorted(tasks, key=lambda t: t.predicted / t.seconds, reverse=True)


def _seconds(graph: QuantGraph, names: set[str], images: int) -> float:
    return _ELEMENT_SECONDS * images * sum(math.prod(graph[n].shape) for n in names)
