"""A graph under construction: what the tracer appends to and the simplifier rewrites.

Besides :data:`edgectl.quant.graph.quant_graph.OPS` a draft may hold ``affine`` (``x * weight + bias``,
a number each channel: batch norm, scalars), ``clamp`` (attributes ``lo``, ``hi``), ``select``
(attribute ``channels``: those of its input it takes, in order), ``take`` (the same of another axis:
``axis``, ``index``) and ``sqrt``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from edgectl.errors import UnsupportedOpError
from edgectl.quant.graph.quant_graph import Node


@dataclass(frozen=True)
class Ref:
    """A tensor computed in the graph.

    Attributes:
        shape: in the graph, where the first axis is the image.
        folded: the program's tensor has no such axis: its first axis, larger than one, is the graph's
            second (windows of an image in the place of a batch).
    """

    name: str
    shape: tuple[int, ...]
    folded: bool = False

    def axis(self, number: int) -> int:
        """The graph's axis for one of the program's, negative ones from the end."""
        return number % (len(self.shape) - self.folded) + self.folded


Value = Ref | Tensor


@dataclass
class DraftBuilder:
    """Collects draft nodes. ``origin`` and ``shape`` describe the call being translated; ``folded``: see
    :class:`Ref`."""

    nodes: list[Node] = field(default_factory=list)
    origin: str = ""
    shape: tuple[int, ...] = ()
    folded: bool = False
    _names: set[str] = field(default_factory=set)

    def add(
        self,
        op: str,
        inputs: Sequence[Ref],
        out_shape: tuple[int, ...] | None = None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        **attrs: Any,
    ) -> Ref:
        """Appends a node; ``out_shape`` defaults to the shape of the call's result."""
        shape = self.shape if out_shape is None else out_shape
        node = Node(
            self._unique(op),
            op,
            tuple(i.name for i in inputs),
            shape,
            attrs,
            origin=self.origin,
            weight=weight,
            bias=bias,
        )
        self.nodes.append(node)
        return Ref(node.name, shape, self.folded)

    def describe(self, shape: tuple[int, ...]) -> None:
        """Sets what the call being translated returns, in the program's axes."""
        self.folded = bool(shape) and shape[0] != 1
        self.shape = (1, *shape) if self.folded else shape

    def affine(self, x: Ref, scale: Tensor, shift: Tensor) -> Ref:
        """x * scale + shift; both (C,)."""
        return self.add("affine", [x], x.shape, scale.float(), shift.float())

    def refuse(self, message: str, fix: str) -> UnsupportedOpError:
        """The error to raise: names the module being translated."""
        return UnsupportedOpError(message, where=self.origin or "model", fix=fix)

    def _unique(self, op: str) -> str:
        # Dots would clash with the names of torch modules and parameters.
        path = self.origin.replace(".", "_")
        base = path if path and op in ("conv", "linear") else f"{path}_{op}".strip("_")
        name, count = base, 1
        while name in self._names:
            count += 1
            name = f"{base}_{count}"
        self._names.add(name)
        return name


@dataclass
class Draft:
    """A graph under construction; may hold the draft ops."""

    nodes: list[Node]
    outputs: list[str]
    _promised: set[str] = field(default_factory=set)

    def find(self, name: str) -> Node:
        """The node of that name; StopIteration when there is none."""
        return next(n for n in self.nodes if n.name == name)

    def consumers(self, name: str) -> list[Node]:
        """Nodes that read the tensor."""
        return [n for n in self.nodes if name in n.inputs]

    def only_feeds(self, producer: Node, consumer: Node) -> bool:
        """True when nobody but ``consumer`` sees the tensor, so that changing it is safe."""
        feeds = self.consumers(producer.name)
        return producer.name not in self.outputs and len(feeds) == 1 and feeds[0] is consumer

    def bypass(self, node: Node) -> None:
        """Removes a node with one input; its readers read that input."""
        (source,) = node.inputs
        self.replace(node, source)

    def replace(self, node: Node, name: str) -> None:
        """Removes a node; its readers read the tensor ``name`` instead."""
        self.nodes.remove(node)
        for reader in self.nodes:
            reader.inputs = tuple(name if i == node.name else i for i in reader.inputs)
        self.outputs = [name if o == node.name else o for o in self.outputs]

    def unique(self, base: str) -> str:
        """``base``, or with the first number no tensor has."""
        taken = {n.name for n in self.nodes} | self._promised
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        self._promised.add(name)
        return name
