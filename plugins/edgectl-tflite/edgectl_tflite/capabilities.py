"""What this backend writes, as data: the checker, the writer's tests and the docs share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgectl.quant.graph import Node, QuantGraph


@dataclass(frozen=True)
class Capability:
    """``accepts`` returns what is wrong with a node, or an empty string; ``instead`` is the advice."""

    builtin: str
    accepts: Callable[[Node, QuantGraph], str]
    instead: str = ""


def _anything(node: Node, graph: QuantGraph) -> str:  # noqa: ARG001
    return ""


def _conv(node: Node, graph: QuantGraph) -> str:  # noqa: ARG001
    if node.attrs["groups"] != 1 and not node.depthwise:
        return f"a grouped convolution with {node.attrs['groups']} groups"
    assert node.weight is not None
    if node.depthwise and node.weight.shape[0] != node.attrs["groups"]:
        return "a depthwise convolution with a channel multiplier"
    return ""


def _broadcast(node: Node, graph: QuantGraph) -> str:
    first, second = (graph[i].shape for i in node.inputs)
    return "" if len(first) == len(second) else "inputs of different rank"


def _no_activation(node: Node, graph: QuantGraph) -> str:  # noqa: ARG001
    return f"a fused {node.activation}" if node.activation else ""


def _max_pool(node: Node, graph: QuantGraph) -> str:
    source = graph[node.inputs[0]]
    # the padding value of an int8 pool is the smallest code, which only a clamped tensor never beats
    if any(node.attrs["padding"]) and source.activation not in ("relu", "relu6"):
        return "a padded max pool over values that may be negative"
    return ""


def _avg_pool(node: Node, graph: QuantGraph) -> str:  # noqa: ARG001
    return "a padded average pool" if any(node.attrs["padding"]) else ""


def _reshape(node: Node, graph: QuantGraph) -> str:
    source = graph[node.inputs[0]].shape
    if len(source) == 4 and source[2] * source[3] != 1:
        return "a reshape that mixes channels and positions"
    return "" if len(node.attrs["shape"]) == 2 else "a reshape to more than two dimensions"


CAPABILITIES: dict[str, Capability] = {
    "input": Capability("", _anything),
    "conv": Capability("CONV_2D / DEPTHWISE_CONV_2D", _conv, "groups = 1 or depthwise"),
    "linear": Capability("FULLY_CONNECTED", _anything),
    "add": Capability("ADD", _broadcast),
    "mul": Capability("MUL", _broadcast),
    "concat": Capability("CONCATENATION", _no_activation, "the activation before the concat"),
    "sigmoid": Capability("LOGISTIC", _no_activation),
    "mean": Capability("MEAN", _no_activation),
    "max_pool": Capability("MAX_POOL_2D", _max_pool, "a ReLU before the pool, or no padding"),
    "avg_pool": Capability("AVERAGE_POOL_2D", _avg_pool, "no padding"),
    "upsample": Capability("RESIZE_NEAREST_NEIGHBOR", _no_activation),
    "pad": Capability("PAD / PADV2", _no_activation),
    "reshape": Capability("RESHAPE", _reshape, "pool to 1x1 before flattening"),
}


def issues(graph: QuantGraph) -> list[str]:
    """One sentence for every node that cannot be written."""
    found = []
    for node in graph:
        where = node.origin or node.name
        capability = CAPABILITIES.get(node.op)
        if capability is None:
            found.append(f"{where}: '{node.op}' has no writer")
            continue
        wrong = capability.accepts(node, graph)
        if wrong:
            advice = f"; use {capability.instead}" if capability.instead else ""
            found.append(f"{where}: {wrong}{advice}")
    return found
