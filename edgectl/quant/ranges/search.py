"""Choose ranges by the error they cause downstream, not by the error of the tensor itself.

A tensor's own error is the wrong target where what follows forgives it: large negative values
before a SiLU can be clipped for nothing, and a channel nobody multiplies by much may be coarse.
Candidates are judged where the tensor is next used (the following convolutions), the finalists at
the heads.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, execute
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.observers import Range
from edgectl.quant.ranges.ranges import RangeGroup, bounds, qparams
from edgectl.quant.ranges.scheme import QParams
from edgectl.quant.simulate import Simulator, fake_quantize, rounds_input
from edgectl.quant.sqnr import relative_error

_STEPS = (0.5, 0.7, 0.85, 0.93, 1.08, 1.25, 1.6)
"""Factors tried on either bound."""

_ROUNDS = 2

_WORTHWHILE = 0.999
"""A change must lower the error at the heads by this factor: less is noise of the sample."""


class DownstreamSearch:
    """Range candidates of one graph, judged on one batch.

    Args:
        quantized: changed in place.
        x: (N, C, H, W) images in the lowered domain.
        heads: the float network's outputs for ``x``.

    Attributes:
        error: present :func:`relative_error` at the heads.
        float_taps: every tensor of the float network for ``x``.
    """

    def __init__(self, quantized: QuantizedGraph, x: Tensor, heads: Sequence[Tensor]) -> None:
        self._simulator = Simulator(quantized)
        self._quantized = quantized
        self._scheme = quantized.scheme
        self._graph = quantized.graph
        self._x = x
        self._heads = list(heads)
        self.float_taps: dict[str, Tensor] = {}
        with torch.no_grad():
            self._graph.run(x, self.float_taps)
        self._rounded: dict[str, Tensor] = {}
        outputs = self._simulator.run(x, taps=self._rounded)
        self.error = relative_error(self._heads, outputs)

    def use_region_best(self, group: RangeGroup, widest: Range) -> None:
        """Takes the range of least error at the readers without asking the heads."""
        self._simulator.assign(group.members, self._region_best(group, widest))

    def improve(self, group: RangeGroup, widest: Range) -> bool:
        """Tries the widest range and the readers' favorite; keeps what lowers :attr:`error`."""
        changed = False
        for candidate in (self._region_best(group, widest), qparams(*widest, self._scheme)):
            before = self._quantized.activations[group.name]
            if candidate == before:
                continue
            self._simulator.assign(group.members, candidate)
            stale = self._descendants(group)
            known = {k: v for k, v in self._rounded.items() if k not in stale}
            taps: dict[str, Tensor] = {}
            outputs = self._simulator.run(self._x, known=known, taps=taps)
            error = relative_error(self._heads, outputs)
            if error < self.error * _WORTHWHILE:
                self.error, changed = error, True
                self._rounded.update(taps)
            else:
                self._simulator.assign(group.members, before)
        return changed

    def region_error(self, group: RangeGroup, candidate: QParams) -> float:
        """Relative error at the readers when only this group is rounded, all else in float."""
        inside, frontier = self._region(group)
        known = {k: v for k, v in self.float_taps.items() if k not in inside}
        if self._scheme.rounds == "outputs":
            for name in group.members:
                # Rounding is monotone: the copy of a rounded tensor is the rounded copy.
                known[name] = fake_quantize(self.float_taps[name], candidate, self._scheme)

        def step(node: Node, inputs: list[Tensor]) -> Tensor:
            if rounds_input(node, self._scheme) and node.inputs[0] in group.members:
                inputs = [fake_quantize(inputs[0], candidate, self._scheme)]
            return execute(node, inputs, node.weight, node.bias)

        with torch.no_grad():
            got = self._graph.evaluate(step, frontier, known=known)
        return relative_error([self.float_taps[n] for n in frontier], got)

    def _region_best(self, group: RangeGroup, widest: Range) -> QParams:
        """Coordinate descent over the two bounds from the present ones, inside ``widest``."""
        best = self._quantized.activations[group.name]
        least = self.region_error(group, best)
        for _ in range(_ROUNDS):
            start = best
            for bound in (1, 0):
                ends = bounds(best, self._scheme)
                # A bound at zero is a ReLU's: there is nothing on its other side.
                for step in _STEPS if ends[bound] != 0.0 else ():
                    low, high = (e * step if i == bound else e for i, e in enumerate(ends))
                    candidate = qparams(max(low, widest[0]), min(high, widest[1]), self._scheme)
                    error = self.region_error(group, candidate)
                    if error < least:
                        best, least = candidate, error
            if best == start:
                break
        return best

    def _region(self, group: RangeGroup) -> tuple[set[str], list[str]]:
        """(nodes to recompute, nodes to compare): forward to the next weighted node or sum.

        Element-wise ops are looked through, so that a SiLU (x * sigmoid(x)) counts as one.
        """
        frontier = [m for m in group.members if m in self._graph.outputs]
        inside: set[str] = set()
        pending = list(group.members)
        while pending:
            for reader in self._graph.consumers(pending.pop()):
                if reader.name in inside or reader.name in group.members:
                    continue
                inside.add(reader.name)
                if reader.op in ("conv", "linear", "add") or reader.name in self._graph.outputs:
                    frontier.append(reader.name)
                else:
                    pending.append(reader.name)
        return inside, frontier

    def _descendants(self, group: RangeGroup) -> set[str]:
        stale = set(group.members)
        for node in self._graph:
            if stale.intersection(node.inputs):
                stale.add(node.name)
        return stale
