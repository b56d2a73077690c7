"""Where each graph op runs on a V831, as data: the checker, the writer and the tests share it.

The processor has convolution, pooling, ReLU, sums, concatenation and nearest-neighbor upsampling.
Depthwise and grouped convolution and softmax run on the Cortex-A7, in float, with a conversion
before and after. For everything else no kernel is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl_ncnn.awnn.fields import CPU, NPU
from edgectl_ncnn.awnn.rewrite import expressible

_RELU = "train with act_layer=relu"


@dataclass(frozen=True)
class Placement:
    """``device`` is NPU, CPU or None for no kernel; ``fix`` is what to use instead."""

    device: int | None
    what: str = ""
    fix: str = ""


def _flatten(graph: QuantGraph, node: Node) -> Placement:
    readers = graph.consumers(node.name)
    if graph[node.inputs[0]].shape[2:] == (1, 1) and len(node.shape) == 2:
        return Placement(NPU)  # one cell of C channels lies in memory as C numbers do
    if readers and node.name not in graph.outputs and all(r.op == "linear" for r in readers):
        return Placement(NPU)
    return Placement(None, "a reshape", "flatten only before a fully connected layer")


def _conv(graph: QuantGraph, node: Node) -> Placement:
    if node.attrs["groups"] == 1:
        if expressible(node):
            return Placement(NPU)
        return Placement(None, "unequal padding of a dilated convolution", "pad all sides alike")
    kind = "depthwise" if node.depthwise else "grouped"
    return Placement(CPU, f"{kind} convolution", "a plain convolution, as ResNet has")


def _average(graph: QuantGraph, node: Node) -> Placement:
    if any(node.attrs["padding"]):
        return Placement(None, "average pooling with a border", "pool without padding")
    return Placement(NPU)


def _silu(graph: QuantGraph, node: Node) -> Placement:
    what = "SiLU" if any(r.op == "mul" for r in graph.consumers(node.name)) else "sigmoid"
    if node.name in graph.outputs:
        return Placement(None, what, "return logits: the host applies the sigmoid")
    return Placement(None, what, _RELU)


def _product(graph: QuantGraph, node: Node) -> Placement:
    sources = {graph[i].op for i in node.inputs}
    if "sigmoid" in sources:
        return Placement(NPU)  # reported once, at the sigmoid
    return Placement(None, "a product of feature maps", f"{_RELU}, without attention")


def _always(device: int | None, what: str = "", fix: str = "") -> Callable[..., Placement]:
    return lambda graph, node: Placement(device, what, fix)


PLACEMENTS: dict[str, Callable[[QuantGraph, Node], Placement]] = {
    "input": _always(NPU),
    "conv": _conv,
    "linear": _always(NPU),
    "add": _always(NPU),
    "mul": _product,
    "concat": _always(NPU),
    "sigmoid": _silu,
    "softmax": _always(CPU, "softmax", "to return logits and apply it in the script"),
    "mean": _always(NPU),
    "max_pool": _always(NPU),
    "avg_pool": _average,
    "upsample": _always(NPU),
    "pad": _always(None, "padding with a value", "zero padding in the convolution"),
    "reshape": _flatten,
}


def place(graph: QuantGraph, node: Node) -> Placement:
    """Where a node runs."""
    return PLACEMENTS[node.op](graph, node)


def check_graph(graph: QuantGraph) -> list[str]:
    """One line for each op without a known kernel: module path, what, and the replacement."""
    return [
        f"{n.origin or n.name}: no kernel for {p.what}; {p.fix}"
        for n, p in _placed(graph)
        if p.device is None
    ]


def remarks(graph: QuantGraph) -> list[str]:
    """One line for each op that falls to the CPU."""
    return [
        f"{n.origin or n.name}: {p.what} runs on the CPU; faster is {p.fix}"
        for n, p in _placed(graph)
        if p.device == CPU
    ]


def _placed(graph: QuantGraph) -> list[tuple[Node, Placement]]:
    return [(n, place(graph, n)) for n in graph]
