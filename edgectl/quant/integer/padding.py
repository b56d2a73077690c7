"""TensorFlow's two paddings, and when a graph's explicit border equals one of them.

A border that is neither has to be written by a PAD op: a copy of the tensor, in memory and in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgectl.quant.graph.quant_graph import Node, QuantGraph

Border = tuple[int, int]
"""(before, after) along one dimension."""


def same_border(size: int, kernel: int, stride: int, dilation: int = 1) -> Border:
    """What SAME adds: the output has ceil(size / stride) elements, an odd remainder goes behind."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True)
class Padding:
    """How a windowed op is written: ``explicit`` (top, bottom, left, right) by a PAD before it."""

    mode: Literal["SAME", "VALID"]
    explicit: tuple[int, int, int, int] | None = None


def choose_padding(
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    border: Sequence[int],
) -> Padding:
    """The cheapest equivalent of ``border`` (top, bottom, left, right) around ``sizes`` (h, w)."""
    used: list[Border] = []
    same = valid = True
    for i in range(2):
        before, after = border[2 * i : 2 * i + 2]
        reach = (kernel[i] - 1) * dilation[i] + 1
        outputs = (sizes[i] + before + after - reach) // stride[i] + 1
        # Border elements no window reaches need not exist.
        after = max((outputs - 1) * stride[i] + reach - sizes[i] - before, 0)
        used.append((before, after))
        same_before, _ = same_border(sizes[i], kernel[i], stride[i], dilation[i])
        same &= before == same_before and outputs == -(-sizes[i] // stride[i])
        valid &= before == 0 and after == 0
    if valid:
        return Padding("VALID")
    if same:
        return Padding("SAME")
    return Padding("VALID", (*used[0], *used[1]))


def node_padding(graph: QuantGraph, node: Node) -> Padding:
    """:func:`choose_padding` for a convolution or pooling node."""
    if node.weight is not None:
        kernel: Sequence[int] = node.weight.shape[2:]
        dilation: Sequence[int] = node.attrs["dilation"]
    else:
        kernel, dilation = node.attrs["kernel"], (1, 1)
    size = graph[node.inputs[0]].shape[2:]
    return choose_padding(size, kernel, node.attrs["stride"], dilation, node.attrs["padding"])


def explicit_border(graph: QuantGraph, node: Node) -> tuple[int, int, int, int] | None:
    """The border a PAD op has to write before ``node``, or None."""
    return node_padding(graph, node).explicit if "stride" in node.attrs else None
