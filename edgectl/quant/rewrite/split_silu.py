"""A SiLU computed from two convolutions, so that its channels can be balanced like a ReLU's.

    y = z * sigmoid(z),  z = conv(x)      becomes      y / s = conv(x) / s * sigmoid(conv(x))

A SiLU's output has one int8 scale for all channels. Where a few channels are a hundred times as large as
the others, those others vanish, and equalization (:mod:`edgectl.quant.rewrite.equalize`) cannot help:
SiLU is not homogeneous, ``silu(z / s) != silu(z) / s``. But gate and value need not come from one tensor.
Given a convolution each, the value's channels may be divided by any s > 0 and the readers' weights
multiplied by it, while the gate keeps the scale it needs, and may be clipped where the sigmoid is flat.

The function stays the same to rounding; the price is the convolution's work, once more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.consumers import sigmoid
from edgectl.quant.ranges.observers import least_squares
from edgectl.quant.ranges.ranges import qparams
from edgectl.quant.ranges.scheme import QParams, QuantScheme
from edgectl.quant.rewrite.equalize import balancing_factors, rescale_readers
from edgectl.quant.simulate import fake_quantize
from edgectl.quant.sqnr import relative_error

_HARMLESS = 1e-3
"""Relative error at the heads, summed over them, that is not worth a convolution."""


@dataclass(frozen=True)
class Silu:
    """Names of the nodes of one ``z * sigmoid(z)``."""

    conv: str
    gate: str
    product: str

    @property
    def value(self) -> str:
        """The convolution that is added."""
        return f"{self.conv}_value"


def splittable(graph: QuantGraph) -> list[Silu]:
    """Every SiLU over a convolution of its own, read by convolutions alone."""
    found = []
    for node in graph:
        if node.op != "mul" or node.activation is not None or node.name in graph.outputs:
            continue
        first, second = (graph[i] for i in node.inputs)
        conv, gate = (first, second) if second.op == "sigmoid" else (second, first)
        readers = graph.consumers(node.name)
        if (
            gate.op == "sigmoid"
            and conv.op == "conv"
            and conv.activation is None
            and gate.inputs == (conv.name,)
            and {n.name for n in graph.consumers(conv.name)} == {gate.name, node.name}
            and len(graph.consumers(gate.name)) == 1
            and readers
            and all(r.op == "conv" and (r.depthwise or r.attrs["groups"] == 1) for r in readers)
        ):
            found.append(Silu(conv.name, gate.name, node.name))
    return found


def split(graph: QuantGraph, silu: Silu, channel_peaks: Tensor, scheme: QuantScheme) -> QuantGraph:
    """A graph of the same function with this SiLU's output channels balanced.

    channel_peaks: (C,) largest absolute output of the SiLU on calibration images.
    """
    result = graph.copy()
    readers = result.consumers(silu.product)
    conv, product = result[silu.conv], result[silu.product]
    assert conv.weight is not None and conv.bias is not None
    factors = balancing_factors(channel_peaks, readers, scheme)
    value = replace(
        conv,
        name=silu.value,
        weight=conv.weight / factors.reshape(-1, 1, 1, 1),
        bias=conv.bias / factors,
    )
    product.inputs = (silu.value, silu.gate)
    rescale_readers(readers, factors)
    nodes: list[Node] = []
    for node in result:
        nodes.append(node)
        if node.name == silu.conv:
            nodes.append(value)
    return QuantGraph(nodes, result.outputs)


def macs(node: Node) -> int:
    """Multiply-accumulates of a convolution."""
    assert node.weight is not None
    return math.prod(node.shape) * node.weight[0].numel()


def total_macs(graph: QuantGraph) -> int:
    """Of all convolutions."""
    return sum(macs(n) for n in graph if n.op == "conv")


def peaks_of(taps: Mapping[str, Tensor], silu: Silu) -> Tensor:
    """(C,) largest absolute output a channel. taps: every tensor of the graph on some images."""
    return taps[silu.product].abs().amax(dim=(0, 2, 3))


def choose_splits(
    quantized: QuantizedGraph, x: Tensor, heads: Sequence[Tensor], *, budget: float
) -> QuantGraph:
    """The graph with those SiLUs split that repay it at the heads; the same graph where none does.

    Each is judged alone, all else in float: with every tensor rounded at once, the errors of a network
    in trouble mask one another.

    Args:
        quantized: ranges chosen, nothing split; left as it is.
        x: (N, C, H, W) images in the lowered domain.
        heads: the float network's outputs for ``x``.
        budget: multiplications that may be added, as a share of those there are.
    """
    graph, scheme = quantized.graph, quantized.scheme
    taps: dict[str, Tensor] = {}
    with torch.no_grad():
        graph.run(x, taps)
    gains = []
    for silu in splittable(graph):
        names = (silu.conv, silu.product)
        before = _error_of(graph, {n: quantized.activations[n] for n in names}, taps, heads, scheme)
        if before > _HARMLESS:
            divided = split(graph, silu, peaks_of(taps, silu), scheme)
            after = _error_of(
                divided, _split_ranges(divided, silu, taps, scheme), taps, heads, scheme
            )
            gains.append((before - after, silu))
    left = budget * total_macs(graph)
    for gain, silu in sorted(gains, key=lambda g: g[0], reverse=True):
        price = macs(graph[silu.conv])
        if gain > _HARMLESS and price <= left:
            left -= price
            graph = split(graph, silu, peaks_of(taps, silu), scheme)
    return graph


def _error_of(
    graph: QuantGraph,
    rounded: Mapping[str, QParams],
    taps: Mapping[str, Tensor],
    heads: Sequence[Tensor],
    scheme: QuantScheme,
) -> float:
    """Error at the heads when only these tensors are rounded. taps: known float tensors."""
    stale = set(rounded)
    for node in graph:
        if stale.intersection(node.inputs):
            stale.add(node.name)

    def step(node: Node, inputs: list[Tensor]) -> Tensor:
        y = execute(node, inputs, node.weight, node.bias)
        return fake_quantize(y, rounded[node.name], scheme) if node.name in rounded else y

    known = {k: v for k, v in taps.items() if k not in stale}
    with torch.no_grad():
        return relative_error(heads, graph.evaluate(step, known=known))


def _split_ranges(
    divided: QuantGraph, silu: Silu, taps: Mapping[str, Tensor], scheme: QuantScheme
) -> dict[str, QParams]:
    """Parameters of a split SiLU's three tensors, from the unsplit one's."""
    original, gate = taps[silu.conv], taps[silu.gate]
    value = execute(
        divided[silu.value],
        [taps[divided[silu.value].inputs[0]]],
        divided[silu.value].weight,
        divided[silu.value].bias,
    )
    ranges = {
        silu.conv: least_squares(original, scheme, through=sigmoid),
        silu.value: least_squares(value, scheme, weight=gate.square()),
        silu.product: least_squares(value * gate, scheme),
    }
    return {name: qparams(*r, scheme) for name, r in ranges.items()}
