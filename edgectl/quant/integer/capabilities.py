"""Which graph ops this backend writes, as data: the checker and the tests share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.integer.padding import explicit_border


@dataclass(frozen=True)
class Rule:
    """A condition on a node: ``broken`` is true where the device cannot run it."""

    broken: Callable[[QuantGraph, Node], bool]
    problem: str
    fix: str


@dataclass(frozen=True)
class Capability:
    """How one graph op is written.

    Attributes:
        writes: TensorFlow Lite ops it may become.
        activations: fused clamps it can carry.
        rules: constraints beyond that.
    """

    writes: tuple[str, ...]
    activations: tuple[str | None, ...] = (None,)
    rules: tuple[Rule, ...] = ()


def _border_not_same(graph: QuantGraph, node: Node) -> bool:
    return explicit_border(graph, node) is not None


def _rank_differs(graph: QuantGraph, node: Node) -> bool:
    return len({len(graph[i].shape) for i in node.inputs}) != 1


_CLAMPS = (None, "relu", "relu6", "unit")
_RANK = Rule(_rank_differs, "operands of different rank", "reshape one operand first")

CAPABILITIES: dict[str, Capability] = {
    "input": Capability(()),
    "conv": Capability(
        ("CONV_2D", "DEPTHWISE_CONV_2D", "PAD"),
        _CLAMPS,
    ),
    "conv_transpose": Capability(("TRANSPOSE_CONV", "STRIDED_SLICE")),
    "linear": Capability(("FULLY_CONNECTED",), _CLAMPS),
    "add": Capability(("ADD",), _CLAMPS, (_RANK,)),
    "mul": Capability(("MUL",), _CLAMPS, (_RANK,)),
    "concat": Capability(("CONCATENATION",), rules=(_RANK,)),
    "sigmoid": Capability(("LOGISTIC",)),
    "softmax": Capability(("SOFTMAX",)),
    "lookup": Capability(("TANH", "GELU", "EXP", "ELU", "LEAKY_RELU", "RSQRT")),
    "prelu": Capability(("PRELU",)),
    "matmul": Capability(("BATCH_MATMUL",)),
    "constant": Capability(()),
    "mean": Capability(("MEAN",)),
    "max_pool": Capability(("MAX_POOL_2D", "PAD", "PADV2")),
    "avg_pool": Capability(
        ("AVERAGE_POOL_2D",),
        rules=(
            Rule(
                _border_not_same,
                "average pooling with a border TensorFlow Lite does not have",
                "use padding=0, or the padding that keeps ceil(size / stride)",
            ),
        ),
    ),
    "upsample": Capability(("RESIZE_NEAREST_NEIGHBOR",)),
    "pad": Capability(("PAD", "PADV2")),
    "resize": Capability(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")),
    "reshape": Capability(("RESHAPE", "TRANSPOSE")),
    "transpose": Capability(("TRANSPOSE",)),
    "slice": Capability(("STRIDED_SLICE",)),
    "requantize": Capability(("QUANTIZE",)),
}


def check_graph(graph: QuantGraph) -> list[str]:
    """One line a problem: module path, what, and the replacement. Empty when all can be written."""
    problems = []
    for node in graph:
        place = node.origin or node.name
        capability = CAPABILITIES.get(node.op)
        if capability is None:
            known = ", ".join(sorted(CAPABILITIES))
            problems.append(f"{place}: '{node.op}' has no TensorFlow Lite op here; known: {known}")
            continue
        if node.activation not in capability.activations:
            problems.append(
                f"{place}: {node.op} cannot clamp to {node.activation}; "
                "put the activation after a convolution, sum or product"
            )
        problems.extend(
            f"{place}: {rule.problem}; {rule.fix}"
            for rule in capability.rules
            if rule.broken(graph, node)
        )
    return problems
