"""Computing wide expansions in parts, so that they are never in memory at once.

Given: an inverted residual's 1x1 expansion E feeding only its depthwise convolution D.

    x ── E ── D ── project

Result: k slices of E's filters, each followed at once by its slice of D; the slices of D's output, which
for stride 2 are a quarter of the size, are joined.

    x ─┬─ E0 ── D0 ─┐
       ├─ E1 ── D1 ─┼─ concat ── project
       └─ E2 ── D2 ─┘

No arithmetic changes: an output channel of E depends on no other one, D works channel by channel, and
the slices keep the quantisation parameters of the whole, so the concat is a copy. The file's results
are the same to the bit; only the arena is smaller (Patch-based inference, MCUNetV2, arXiv:2110.15352,
reaches further, at the price of computing borders twice).
"""

from __future__ import annotations

from dataclasses import replace

from edgectl.quant.graph import Node, QuantGraph
from edgectl.quant.quantized import QuantizedGraph

from edgectl_tflite.arena import graph_peak

_PARTS = (2, 3, 4, 6, 8)
# kernels work on vectors of channels: narrower slices would be slower than the memory is worth
_MULTIPLE = 8


def splittable(graph: QuantGraph) -> list[tuple[Node, Node]]:
    """(E, D) pairs: a convolution read by nothing but one depthwise convolution."""
    pairs = []
    for node in graph:
        if node.op != "conv" or node.attrs["groups"] != 1 or node.name in graph.outputs:
            continue
        readers = graph.consumers(node.name)
        if len(readers) == 1 and readers[0].depthwise and readers[0].name not in graph.outputs:
            pairs.append((node, readers[0]))
    return pairs


def choose_parts(graph: QuantGraph) -> dict[str, int]:
    """Name of E -> number of slices, for the pairs where slicing lowers the peak.

    Greedy: at each turn the change that lowers the peak most, with the fewest slices, until none does.
    """
    chosen: dict[str, int] = {}
    pairs = splittable(graph)
    best = graph_peak(graph).bytes
    while True:
        candidates = [
            (graph_peak(split_graph(graph, {**chosen, e.name: k})).bytes, k, e.name)
            for e, _ in pairs
            for k in _PARTS
            if k > chosen.get(e.name, 1) and e.shape[1] % (k * _MULTIPLE) == 0
        ]
        if not candidates or min(candidates)[0] >= best:
            return chosen
        best, parts, name = min(candidates)
        chosen[name] = parts


def split_graph(graph: QuantGraph, parts: dict[str, int]) -> QuantGraph:
    """The graph with the named expansions computed in that many slices."""
    pairs = {d.name: e for e, d in splittable(graph) if parts.get(e.name, 1) > 1}
    expansions = {e.name for e in pairs.values()}
    nodes: list[Node] = []
    for node in graph:
        if node.name in expansions:
            continue
        if node.name not in pairs:
            nodes.append(node)
            continue
        expansion = pairs[node.name]
        count = parts[expansion.name]
        slices = []
        for i in range(count):
            part = _slice(expansion, i, count, expansion.inputs)
            slices.append(_slice(node, i, count, (part.name,)))
            nodes += [part, slices[-1]]
        nodes.append(
            Node(
                node.name,
                "concat",
                tuple(s.name for s in slices),
                node.shape,
                origin=node.origin,
            )
        )
    return QuantGraph(nodes, graph.outputs)


def split_quantized(quantized: QuantizedGraph) -> QuantizedGraph:
    """The same integers with the smallest peak :func:`choose_parts` finds."""
    parts = choose_parts(quantized.graph)
    if not parts:
        return quantized
    graph = split_graph(quantized.graph, parts)
    activations = dict(quantized.activations)
    scales = dict(quantized.weight_scales)
    for expansion, depthwise in splittable(quantized.graph):
        for whole in (expansion, depthwise):
            count = parts.get(expansion.name, 1)
            for i in range(count if count > 1 else 0):
                name = _part_name(whole, i)
                activations[name] = quantized.activations[whole.name]
                scales[name] = quantized.weight_scales[whole.name].chunk(count)[i]
    return replace(quantized, graph=graph, activations=activations, weight_scales=scales)


def _part_name(node: Node, i: int) -> str:
    return f"{node.name}_part{i}"


def _slice(node: Node, i: int, count: int, inputs: tuple[str, ...]) -> Node:
    """Output channels i/count of a convolution."""
    assert node.weight is not None
    assert node.bias is not None
    batch, channels, *rest = node.shape
    attrs = dict(node.attrs)
    if node.depthwise:
        attrs["groups"] = channels // count
    return replace(
        node,
        name=_part_name(node, i),
        inputs=inputs,
        shape=(batch, channels // count, *rest),
        attrs=attrs,
        weight=node.weight.chunk(count)[i],
        bias=node.bias.chunk(count)[i],
    )
