"""Which graph ops become which ncnn layers, as data: the checker and the tests share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgectl.quant.graph.quant_graph import Node, QuantGraph


@dataclass(frozen=True)
class Rule:
    """A condition on a node: ``broken`` is true where it cannot be written."""

    broken: Callable[[QuantGraph, Node], bool]
    problem: str
    fix: str


@dataclass(frozen=True)
class Capability:
    """Attributes:
    writes: layer types the op may become.
    int8: whether its kernel computes with integers; everything else stays in float.
    """

    writes: tuple[str, ...]
    int8: bool = False
    rules: tuple[Rule, ...] = ()


def _rank_differs(graph: QuantGraph, node: Node) -> bool:
    return len({len(graph[i].shape) for i in node.inputs}) != 1


def _batched(graph: QuantGraph, node: Node) -> bool:
    return node.shape[0] != 1 or not 2 <= len(node.shape) <= 4


_RANK = Rule(_rank_differs, "operands of different rank", "reshape one operand first")

CAPABILITIES: dict[str, Capability] = {
    "input": Capability(("Input",)),
    "conv": Capability(("Convolution", "ConvolutionDepthWise"), int8=True),
    "linear": Capability(("InnerProduct",), int8=True),
    "add": Capability(("BinaryOp", "ReLU", "Clip"), rules=(_RANK,)),
    "mul": Capability(("BinaryOp", "Swish", "ReLU", "Clip"), rules=(_RANK,)),
    "concat": Capability(("Concat",), rules=(_RANK,)),
    "sigmoid": Capability(("Sigmoid",)),
    "softmax": Capability(("Softmax",)),
    "mean": Capability(("Pooling", "Reshape")),
    "max_pool": Capability(("Pooling",)),
    "avg_pool": Capability(("Pooling",)),
    "upsample": Capability(("Interp",)),
    "pad": Capability(("Padding",)),
    "reshape": Capability(
        ("Reshape",),
        rules=(Rule(_batched, "a reshape to five dimensions", "keep (N, C) or NCHW"),),
    ),
}


def check_graph(graph: QuantGraph) -> list[str]:
    """One line a problem: module path, what, and the replacement. Empty when all can be written."""
    problems = []
    for node in graph:
        place = node.origin or node.name
        capability = CAPABILITIES.get(node.op)
        if capability is None:
            known = ", ".join(sorted(CAPABILITIES))
            problems.append(f"{place}: '{node.op}' has no ncnn layer here; known: {known}")
            continue
        problems.extend(
            f"{place}: {rule.problem}; {rule.fix}"
            for rule in capability.rules
            if rule.broken(graph, node)
        )
    return problems


def integer_kernel(node: Node) -> bool:
    """True where an int8 file holds integer weights: ncnn has one scale a *group* of a grouped
    convolution, so those that are not depthwise stay in float."""
    if node.op == "conv" and node.attrs["groups"] > 1:
        return node.depthwise and node.attrs["groups"] == node.shape[1]
    return CAPABILITIES[node.op].int8
