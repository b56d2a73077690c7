"""Divide channels so that they are alike: a tensor has one scale for all of them.

:mod:`edgectl.quant.rewrite.channel_classes` says which channels may be divided, and
:mod:`edgectl.quant.rewrite.balance_plan` by how much; here it is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.ranges.histogram import ChannelHistogram
from edgectl.quant.rewrite.channel_classes import ChannelClass


@dataclass(frozen=True)
class Balance:
    """One class of channels and its divisors.

    Attributes:
        factors: (C,) > 0.
        macs: multiply-accumulates added.
    """

    where: ChannelClass
    factors: Tensor
    macs: int

    def over(self, first: int, channels: int) -> Tensor:
        """(channels,) divisors of a tensor in which the class begins at channel ``first``."""
        whole = torch.ones(channels)
        whole[first : first + self.where.channels] = self.factors
        return whole


def scaled_columns(reader: Node, weight: Tensor, factors: Tensor) -> Tensor:
    """A reader's weights with what they do to input channel c multiplied by ``factors[c]``."""
    if reader.depthwise:
        # with a channel multiplier several filters in a row read the same channel
        filters = len(weight) // len(factors)
        return weight * factors.repeat_interleave(filters).reshape(-1, 1, 1, 1)
    return weight * factors.reshape(1, -1, 1, 1)


def apply_balances(graph: QuantGraph, balances: Sequence[Balance]) -> QuantGraph:
    """A graph of the same function with these classes' channels divided."""
    result = graph.copy()
    values: dict[str, Node] = {}
    for balance in balances:
        entry, factors = balance.where, balance.factors
        for name in entry.convs:
            _divide(result[name], factors)
        for silu in entry.silus:
            conv = result[silu.conv]
            value = replace(conv, name=silu.value)
            _divide(value, factors)
            result[silu.product].inputs = (silu.value, silu.gate)
            values[silu.conv] = value
        for name, first in entry.readers:
            reader = result[name]
            whole = balance.over(first, result[reader.inputs[0]].shape[1])
            # a unit whose value was made already reads the same tensor with its copy
            for node in (reader, values[name]) if name in values else (reader,):
                assert node.weight is not None
                node.weight = scaled_columns(node, node.weight, whole)
    nodes: list[Node] = []
    for node in result:
        nodes.append(node)
        if node.name in values:
            nodes.append(values[node.name])
    return QuantGraph(nodes, result.outputs)


def _divide(node: Node, factors: Tensor) -> None:
    assert node.weight is not None and node.bias is not None
    node.weight = node.weight / factors.reshape(-1, 1, 1, 1)
    node.bias = node.bias / factors


def balanced_channels(
    graph: QuantGraph, seen: Mapping[str, ChannelHistogram], balances: Sequence[Balance]
) -> dict[str, ChannelHistogram]:
    """Distributions of the rewritten graph's tensors, from those of ``graph``: nothing is run again."""
    result = dict(seen)
    for balance in balances:
        for silu in balance.where.silus:
            result[silu.value] = seen[silu.conv].divided(balance.factors)
        for name, first in balance.where.tensors:
            if name in result:
                result[name] = result[name].divided(balance.over(first, graph[name].shape[1]))
    return result
