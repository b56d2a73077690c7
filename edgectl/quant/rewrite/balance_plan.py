"""By how much channels are divided, and which classes of them are worth it.

A model of the error at the heads decides: a tensor's rounding costs its squared step for every value,
weighted with the tensor's sensitivity; rounding a reader's weights costs their squared step times the power
of what they read. Balancing moves the imbalance from one to the other.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.observe import Statistics
from edgectl.quant.ranges.ranges import RangeGroup, range_groups
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.rewrite.balance import Balance, scaled_columns
from edgectl.quant.rewrite.channel_classes import ChannelClass, channel_classes, macs

LIMIT = 16.0
"""Largest factor between channels: a nearly dead one must not be blown up to full range."""

_HEADROOM = 1.25
"""ReLU6: room above the largest value seen before the clamp may bite."""

_HARMLESS = 1e-3
"""Share of the predicted error that is not worth a convolution."""


class BalancePlanner:
    """Chooses balances one after another, each in view of those before it.

    Args:
        quantized: ranges chosen, nothing balanced; left as it is.
        statistics: of its graph.
    """

    def __init__(self, quantized: QuantizedGraph, statistics: Statistics) -> None:
        self._graph, self._scheme = quantized.graph, quantized.scheme
        self._statistics = statistics
        self._peaks = {n: statistics.channels[n].peaks() for n in statistics.sensitivity}
        self._squares = {n: s.channels.clone() for n, s in statistics.sensitivity.items()}
        self._weights = {n.name: n.weight for n in self._graph if n.weight is not None}
        self._divided: dict[str, Tensor] = {}
        self._power: dict[str, Tensor | None] = {}
        self._group: dict[str, RangeGroup] = {}
        self._unit: dict[str, float] = {}
        for group in range_groups(self._graph, self._scheme):
            producers = [p for p in group.producers if p in self._peaks]
            if group.fixed is None and producers:
                self._group.update(dict.fromkeys(producers, group))
                largest = max(float(self._peaks[p].amax()) for p in producers)
                step = quantized.activations[group.name].scale
                self._unit[group.name] = (step / max(largest, 1e-12)) ** 2 / 12.0

    def plan(self, *, equalize: bool, budget: float) -> list[Balance]:
        """Those worth it.

        Args:
            equalize: those that cost nothing at run time.
            budget: multiply-accumulates that may be added for the others.
        """
        least = _HARMLESS * sum(self._error_of(g) for g in self._groups_of(self._group))
        found = []
        for entry in channel_classes(self._graph):
            known = all(n in self._peaks for n in [*entry.convs, *(s.product for s in entry.silus)])
            price = sum(macs(self._graph[s.conv]) for s in entry.silus)
            if known and (price <= budget if price else equalize):
                gain, _ = self._best(entry)
                found.append((gain / max(price, 1), price, entry))
        # what costs nothing comes first; what costs, by gain for the price
        found.sort(key=lambda f: (f[1] > 0, -f[0]))
        chosen = []
        for _, price, entry in found:
            gain, factors = self._best(entry)
            if gain > (least if price else 0.0) and price <= budget:
                budget -= price
                chosen.append(Balance(entry, factors, price))
                self._take(chosen[-1])
        return chosen

    def _best(self, entry: ChannelClass) -> tuple[float, Tensor]:
        """Largest gain of all candidates, and its factors."""
        best = (0.0, torch.ones(entry.channels))
        for factors in self._candidates(entry):
            gain = self._gain(Balance(entry, factors, 0))
            if gain > best[0]:
                best = gain, factors
        return best

    def _candidates(self, entry: ChannelClass) -> Iterator[Tensor]:
        """Divisors (C,), between none and those that make all channels alike.

        ReLU6 is not homogeneous. Its channels are only ever enlarged, and only so far that ``_HEADROOM``
        times the largest value seen still passes the clamp: unchanged on the calibration images, and
        saturating beyond them, as int8 would anyway. Channels that reach 6 stay.
        """
        own = self._own_peaks(entry).clamp_min(1.0 / LIMIT)
        theirs = self._column_peaks(entry).clamp_min(1.0 / LIMIT)
        clamped = [n for n in entry.convs if self._graph[n].activation == "relu6"]
        for factors in (own, own.sqrt(), (own / theirs).sqrt()):
            if clamped:
                for name in clamped:
                    factors = torch.maximum(factors, self._peaks[name] * _HEADROOM / 6.0)
                yield factors.clamp_max(1.0)
                continue
            known = [(n, f) for n, f in entry.tensors if n in self._peaks]
            parts = {n: self._peaks[n][f : f + entry.channels] for n, f in known}
            before = max(float(p.amax()) for p in parts.values())
            after = max(float((p / factors).amax()) for p in parts.values())
            # as large as it was, or as large as what shares the range
            neighbors = [
                float(self._peaks[p].amax())
                for n in parts
                if n in self._group
                for p in self._group[n].producers
                if p in self._peaks and p not in parts
            ]
            for aim in {before, max(neighbors, default=before)}:
                if aim > 0.0 and after > 0.0:
                    yield factors * (after / aim)

    def _own_peaks(self, entry: ChannelClass) -> Tensor:
        if self._scheme.weight_per_channel:
            parts = [
                self._peaks[n][f : f + entry.channels] for n, f in entry.tensors if n in self._peaks
            ]
        else:
            makers = [*entry.convs, *(s.conv for s in entry.silus)]
            parts = [self._weights[n].abs().flatten(1).amax(1) for n in makers]
        return _joint_peaks(parts)

    def _column_peaks(self, entry: ChannelClass) -> Tensor:
        """(C,) in (0, 1]; ones where every reader has a scale for each channel: there it is free."""
        parts = []
        for name, first in entry.readers:
            reader, weight = self._graph[name], self._weights[name].abs()
            if reader.depthwise:
                if self._scheme.weight_per_channel:
                    continue
                columns = weight.reshape(reader.attrs["groups"], -1).amax(1)
            else:
                if self._scheme.weight_per_channel:
                    weight = (
                        weight / weight.flatten(1).amax(1).clamp_min(1e-12)[:, None, None, None]
                    )
                columns = weight.amax(dim=(0, 2, 3))
            parts.append(columns[first : first + entry.channels])
        return _joint_peaks(parts) if parts else torch.ones(entry.channels)

    def _gain(self, balance: Balance) -> float:
        """Predicted decrease of the error at the heads."""
        entry = balance.where
        peaks: ChainMap[str, Tensor] = ChainMap({}, self._peaks)
        squares: ChainMap[str, Tensor] = ChainMap({}, self._squares)
        for name, first in entry.tensors:
            if name in self._peaks:
                factors = balance.over(first, len(self._peaks[name]))
                peaks[name] = peaks[name] / factors
                squares[name] = squares[name] * factors.square()
        gain = 0.0
        for group in self._groups_of(n for n, _ in entry.tensors if n in self._group):
            gain += self._error_of(group) - self._error_of(group, peaks, squares)
        for silu in entry.silus:
            # the value is a tensor of its own now, about as wide as the product
            gain -= self._error_of(self._group[silu.product], peaks, squares)
        return gain - sum(self._weight_loss(balance, n, first) for n, first in entry.readers)

    def _weight_loss(self, balance: Balance, name: str, first: int) -> float:
        reader, weight = self._graph[name], self._weights[name]
        source = reader.inputs[0]
        if source not in self._power:
            self._power[source] = self._statistics.power(self._graph, source)
        power = self._power[source]
        if name not in self._squares or power is None:
            return 0.0
        if source in self._divided:
            power = power / self._divided[source].square()
        factors = balance.over(first, len(power))
        before = _rounding_noise(reader, weight, power, self._scheme)
        scaled = scaled_columns(reader, weight, factors)
        after = _rounding_noise(reader, scaled, power / factors.square(), self._scheme)
        return float(((after - before) * self._squares[name]).sum())

    def _take(self, balance: Balance) -> None:
        """What comes later sees these channels divided."""
        entry = balance.where
        for name, first in entry.tensors:
            factors = balance.over(first, self._graph[name].shape[1])
            self._divided[name] = self._divided.get(name, torch.ones_like(factors)) * factors
            if name in self._peaks:
                self._peaks[name] = self._peaks[name] / factors
                self._squares[name] = self._squares[name] * factors.square()
        for name in entry.convs:
            self._weights[name] = self._weights[name] / balance.factors[:, None, None, None]
        for name, first in entry.readers:
            factors = balance.over(first, self._graph[self._graph[name].inputs[0]].shape[1])
            self._weights[name] = scaled_columns(self._graph[name], self._weights[name], factors)

    def _error_of(
        self,
        group: RangeGroup,
        peaks: Mapping[str, Tensor] | None = None,
        squares: Mapping[str, Tensor] | None = None,
    ) -> float:
        peaks, squares = peaks or self._peaks, squares or self._squares
        members = [p for p in group.producers if p in peaks]
        largest = max(float(peaks[p].amax()) for p in members)
        return self._unit[group.name] * largest**2 * sum(float(squares[p].sum()) for p in members)

    def _groups_of(self, names: Iterable[str]) -> list[RangeGroup]:
        return list({self._group[n].name: self._group[n] for n in names}.values())


def _joint_peaks(parts: Sequence[Tensor]) -> Tensor:
    """(C,) in (0, 1]: largest of each tensor's magnitudes relative to its own largest."""
    return torch.stack([p / p.amax().clamp_min(1e-12) for p in parts]).amax(0)


def _rounding_noise(node: Node, weight: Tensor, power: Tensor, scheme: QuantScheme) -> Tensor:
    """(C_out,) mean squared error of the output where weights are rounded. power: (C_in,) mean squares."""
    largest = weight.abs().flatten(1).amax(1)
    if not scheme.weight_per_channel:
        largest = largest.amax().expand_as(largest)
    steps = largest / scheme.weight_range[1]
    taps = weight.shape[2] * weight.shape[3]
    if node.depthwise:
        read = power.repeat_interleave(len(weight) // len(power)) * taps
    else:
        read = (power.sum() * taps).expand_as(largest)
    return steps.square() / 12.0 * read
