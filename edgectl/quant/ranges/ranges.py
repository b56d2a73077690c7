"""Which tensors share a range, and what integers a range becomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgectl.errors import UnsupportedOpError
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.ranges.scheme import QParams, QuantScheme

_SMALLEST_WIDTH = 1e-6
"""A tensor that is always zero still needs a positive scale."""


def qparams(lo: float, hi: float, scheme: QuantScheme) -> QParams:
    """Parameters that cover [lo, hi] and represent zero exactly (padding is zero)."""
    qmin, qmax = scheme.activation_range
    lo, hi = min(float(lo), 0.0), max(float(hi), 0.0)
    if hi - lo < _SMALLEST_WIDTH:
        hi = lo + _SMALLEST_WIDTH
    if scheme.activation_symmetric:
        return QParams(float(np.float32(max(-lo, hi) / min(-qmin, qmax))), 0)
    scale = float(np.float32((hi - lo) / (qmax - qmin)))
    return QParams(scale, int(np.clip(np.rint(qmin - lo / scale), qmin, qmax)))


def bounds(q: QParams, scheme: QuantScheme) -> tuple[float, float]:
    """The real numbers that ``qmin`` and ``qmax`` stand for."""
    qmin, qmax = scheme.activation_range
    return (qmin - q.zero_point) * q.scale, (qmax - q.zero_point) * q.scale


@dataclass(frozen=True)
class RangeGroup:
    """Tensors with one pair of parameters.

    Attributes:
        members: node names in topological order.
        producers: the members whose values are computed, not copied from another member.
        fixed: parameters the scheme dictates, or None.
    """

    members: tuple[str, ...]
    producers: tuple[str, ...]
    fixed: QParams | None

    @property
    def name(self) -> str:
        """Stable key: the first member."""
        return self.members[0]


def copies(node: Node, scheme: QuantScheme) -> bool:
    """True for a node whose integer kernel only moves or averages values of its input's range."""
    return node.op in scheme.shared_range_ops


def range_groups(graph: QuantGraph, scheme: QuantScheme) -> list[RangeGroup]:
    """Union-find over ``scheme.shared_range_ops``.

    Raises:
        UnsupportedOpError: an op would join a tensor of fixed range with others.
    """
    parent = {n.name: n.name for n in graph}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for node in graph:
        if copies(node, scheme):
            for source in node.inputs:
                parent[find(source)] = find(node.name)
    members: dict[str, list[Node]] = {}
    for node in graph:
        members.setdefault(find(node.name), []).append(node)
    return [_group(nodes, scheme) for nodes in members.values()]


def _group(nodes: list[Node], scheme: QuantScheme) -> RangeGroup:
    producers = [n for n in nodes if not copies(n, scheme)]
    dictated = {dictated_range(n, scheme) for n in producers}
    if len(dictated) > 1:
        joint = next(n for n in nodes if copies(n, scheme))
        raise UnsupportedOpError(
            f"'{joint.op}' joins tensors whose int8 ranges are fixed and differ",
            where=joint.origin or joint.name,
            fix="give them separate outputs, or put a convolution between",
        )
    return RangeGroup(
        tuple(n.name for n in nodes), tuple(n.name for n in producers), next(iter(dictated))
    )


def dictated_range(node: Node, scheme: QuantScheme) -> QParams | None:
    """What the scheme demands of the tensor a node computes, or None."""
    if node.op == "input":
        return scheme.input
    by_op = scheme.fixed_outputs.get(node.attrs["function"] if node.op == "lookup" else node.op)
    return by_op if node.activation is None else scheme.fixed_outputs.get(node.activation, by_op)
