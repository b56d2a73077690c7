"""What the readers of a tensor make of it: the error that counts is the one behind them.

A sigmoid flattens what is far from zero, a SiLU what is very negative, and a gate near zero silences what
it multiplies. Ranges chosen for such tensors by their own squared error spend most of their steps on
numbers nobody can tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgectl.quant.graph.quant_graph import Node, QuantGraph

Floats = npt.NDArray[np.float64]
Function = Callable[[Floats], Floats]


def sigmoid(x: Floats) -> Floats:
    """Logistic function."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), dtype=np.float64)


def silu(x: Floats) -> Floats:
    """``x * sigmoid(x)``."""
    return x * sigmoid(x)


def common_consumer_function(graph: QuantGraph, members: Sequence[str]) -> Function | None:
    """The one function all readers of a range group see its values through, if there is one."""
    readers = _readers(graph, members)
    if not readers:
        return None
    if all(r.op == "sigmoid" for _, r in readers):
        return sigmoid
    gates = {r.name: m for m, r in readers if r.op == "sigmoid"}
    products = [(m, r) for m, r in readers if r.op == "mul"]
    own_gate = all(any(gates.get(i) == m for i in r.inputs) for m, r in products)
    if gates and own_gate and len(products) + len(gates) == len(readers):
        return silu
    return None


def gating_product(graph: QuantGraph, members: Sequence[str]) -> Node | None:
    """The product that is the only reader of a one-tensor group, where a sigmoid is the other factor."""
    readers = _readers(graph, members)
    if len(members) != 1 or len(readers) != 1:
        return None
    ((member, product),) = readers
    if product.op != "mul":
        return None
    others = [graph[i] for i in product.inputs if i != member]
    return product if [n.op for n in others] == ["sigmoid"] else None


def _readers(graph: QuantGraph, members: Sequence[str]) -> list[tuple[str, Node]]:
    """(member, reader) pairs that leave the group; none where a member is an output as well."""
    if any(m in graph.outputs for m in members):
        return []
    return [(m, r) for m in members for r in graph.consumers(m) if r.name not in members]
