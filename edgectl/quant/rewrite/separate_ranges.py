"""A requantizing op in front of a tensor whose range the kernels dictate, where it would join others.

Concatenation copies bytes, so its inputs share a range. A sigmoid's is dictated, that of the logits beside it
is not: one of the two has to change its grid on the way, and the dictated one cannot where it is made.
"""

from __future__ import annotations

from dataclasses import replace

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.ranges.ranges import copies, dictated_range
from edgectl.quant.ranges.scheme import QParams, QuantScheme


def separate_ranges(graph: QuantGraph, scheme: QuantScheme) -> QuantGraph:
    """The graph, or one in which every op that joins tensors can."""
    walk = _Walk(graph, scheme)
    for node in graph:
        walk.visit(node)
    return QuantGraph(walk.nodes, graph.outputs) if walk.made else graph


class _Walk:
    """``parent`` is a union-find over tensors; ``fixed`` holds what is dictated to each of its roots."""

    def __init__(self, graph: QuantGraph, scheme: QuantScheme) -> None:
        self._graph, self._scheme = graph, scheme
        self._parent: dict[str, str] = {}
        self._fixed: dict[str, QParams | None] = {}
        self.nodes: list[Node] = []
        self.made: dict[str, Node] = {}

    def visit(self, node: Node) -> None:
        """Appends the node, and before it what its inputs need."""
        self._parent[node.name] = node.name
        if not copies(node, self._scheme):
            self._fixed[node.name] = dictated_range(node, self._scheme)
            self.nodes.append(node)
            return
        ranges = [self._fixed[self._find(i)] for i in node.inputs]
        if len(set(ranges)) > 1:
            names = [
                i if q is None else self._requantized(i)
                for i, q in zip(node.inputs, ranges, strict=True)
            ]
            node = replace(node, inputs=tuple(names))
        self._fixed[node.name] = self._fixed[self._find(node.inputs[0])]
        for name in node.inputs:
            self._parent[self._find(name)] = node.name
        self.nodes.append(node)

    def _requantized(self, name: str) -> str:
        if name not in self.made:
            source = self._graph[name]
            made = Node(
                f"{name}_requantized", "requantize", (name,), source.shape, origin=source.origin
            )
            self.made[name] = made
            self._parent[made.name], self._fixed[made.name] = made.name, None
            self.nodes.append(made)
        return self.made[name].name

    def _find(self, name: str) -> str:
        while self._parent[name] != name:
            name = self._parent[name]
        return name
