"""Computes wide expansions in channel groups, so that the whole expanded tensor never exists.

Given:   x -> conv (48 channels) -> depthwise -> y
Result:  x -> conv (16) -> depthwise -+
         x -> conv (16) -> depthwise -+- concat -> y
         x -> conv (16) -> depthwise -+

A depthwise filter reads one channel, so the parts are independent and every byte stays the same:
weights and their scales are sliced, activation parameters kept, and a concatenation does not
rescale. The arithmetic is unchanged too; only the input is read once a part. (Computing strips of
the image as well, MCUNetV2, arXiv:2110.15352, reaches further, at the price of computing borders
twice.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl_tflite.reader.liveness import live_bytes

_UNIT = 8
"""Channels come in groups of this many: vector kernels lose on anything smaller."""


@dataclass(frozen=True)
class Pair:
    """A convolution read by one depthwise convolution only."""

    conv: Node
    depthwise: Node

    @property
    def channels(self) -> int:
        """Width of the tensor between the two."""
        return self.conv.shape[1]


def split_expansions(quantized: QuantizedGraph) -> QuantizedGraph:
    """The same function in the least memory this rewrite reaches, in as few parts as that takes."""
    graph = quantized.graph
    parts = plan_parts(graph)
    if not parts:
        return quantized
    nodes: list[Node] = []
    activations = dict(quantized.activations)
    scales = dict(quantized.weight_scales)
    removed = {pair.conv.name for pair in parts}
    by_end = {pair.depthwise.name: (pair, count) for pair, count in parts.items()}
    for node in graph:
        if node.name in removed:
            continue
        if node.name not in by_end:
            nodes.append(node)
            continue
        pair, count = by_end[node.name]
        pieces = split_pair(pair, count)
        nodes.extend(pieces)
        for source in (pair.conv, pair.depthwise):
            whole = scales.pop(source.name)
            for i, channels in enumerate(_slices(pair.channels, count)):
                name = _part_name(source, i)
                scales[name] = whole[channels].clone()
                activations[name] = activations[source.name]
        # The concatenation takes over the depthwise convolution's name and parameters.
        activations.pop(pair.conv.name)
    return replace(
        quantized,
        graph=QuantGraph(nodes, graph.outputs),
        activations=activations,
        weight_scales=scales,
    )


def plan_parts(graph: QuantGraph) -> dict[Pair, int]:
    """Parts for each pair worth splitting.

    What is alive outside a pair does not depend on how the pair is computed, so the peak is the
    largest of independent terms: each pair's own best and everything else. No pair needs to go
    below that.
    """
    pairs = find_pairs(graph)
    whole = live_bytes(graph)
    own = {name for pair in pairs for name in (pair.conv.name, pair.depthwise.name)}
    target = max(nbytes for name, nbytes in whole.items() if name not in own)
    peaks: dict[Pair, list[int]] = {}
    for pair in pairs:
        peaks[pair] = [max(whole[pair.conv.name], whole[pair.depthwise.name])]
        for count in range(2, pair.channels // _UNIT + 1):
            peaks[pair].append(_peak_when_split(graph, pair, count))
        target = max(target, min(peaks[pair]))
    chosen = {
        pair: next(i + 1 for i, peak in enumerate(found) if peak <= target)
        for pair, found in peaks.items()
    }
    return {pair: count for pair, count in chosen.items() if count > 1}


def find_pairs(graph: QuantGraph) -> list[Pair]:
    """Candidates, in order."""
    pairs = []
    for node in graph:
        readers = graph.consumers(node.name)
        if (
            node.op == "conv"
            and node.attrs["groups"] == 1
            and node.name not in graph.outputs
            and len(readers) == 1
            and readers[0].depthwise
            and readers[0].shape[1] == node.shape[1]
            and node.shape[1] >= 2 * _UNIT
        ):
            pairs.append(Pair(node, readers[0]))
    return pairs


def split_pair(pair: Pair, count: int) -> list[Node]:
    """Nodes that replace the pair; each part is finished before the next begins."""
    nodes: list[Node] = []
    for i, channels in enumerate(_slices(pair.channels, count)):
        conv = _slice(pair.conv, i, channels)
        depthwise = _slice(pair.depthwise, i, channels)
        depthwise.inputs = (conv.name,)
        depthwise.attrs = {**depthwise.attrs, "groups": depthwise.shape[1]}
        nodes += [conv, depthwise]
    end = pair.depthwise
    names = tuple(n.name for n in nodes[1::2])
    nodes.append(Node(end.name, "concat", names, end.shape, origin=end.origin))
    return nodes


def _peak_when_split(graph: QuantGraph, pair: Pair, count: int) -> int:
    pieces = split_pair(pair, count)
    nodes: list[Node] = []
    for node in graph:
        if node is pair.depthwise:
            nodes.extend(pieces)
        elif node is not pair.conv:
            nodes.append(node)
    nbytes = live_bytes(QuantGraph(nodes, graph.outputs))
    return max(nbytes[piece.name] for piece in pieces)


def _slices(channels: int, count: int) -> Iterable[slice]:
    """``count`` runs of channels, in units of :data:`_UNIT`, as even as that allows."""
    units = -(-channels // _UNIT)
    bounds = [min(-(-units * i // count) * _UNIT, channels) for i in range(count + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds)]


def _slice(node: Node, index: int, channels: slice) -> Node:
    assert node.weight is not None and node.bias is not None
    n, _, h, w = node.shape
    return replace(
        node,
        name=_part_name(node, index),
        shape=(n, channels.stop - channels.start, h, w),
        weight=node.weight[channels],
        bias=node.bias[channels],
    )


def _part_name(node: Node, index: int) -> str:
    return f"{node.name}_part{index}"
