"""Which channels of which tensors may be divided by a common factor without changing the network.

A channel between two convolutions may be divided by s > 0 where it is made and multiplied by s where it is
read (cross-layer equalization: Nagel et al., 2019, arXiv:1906.04721). Sums, products with a gate, pooling,
upsampling and concatenation pass the factor on: all tensors of a residual stage form one class with one
vector of factors. ReLU is homogeneous; a SiLU is made so by a second convolution:

    y = z * sigmoid(z),  z = conv(x)      becomes      y / s = conv(x) / s * sigmoid(conv(x))

The value's channels may be divided by any s, the gate keeps the scale it needs; the price is the
convolution's work, once more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edgectl.quant.graph.quant_graph import Node, QuantGraph

_PASSES = frozenset({"max_pool", "avg_pool", "upsample", "mean"})

Block = tuple[int, int]
"""(class, channels)."""


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


@dataclass
class ChannelClass:
    """Channels that are divided together.

    Attributes:
        channels: how many.
        convs: convolutions whose output they are.
        silus: units whose output they are; each needs a second convolution.
        tensors: (name, first channel) wherever they occur.
        readers: (convolution, first input channel) that undo the division.
    """

    channels: int
    convs: list[str] = field(default_factory=list)
    silus: list[Silu] = field(default_factory=list)
    tensors: list[tuple[str, int]] = field(default_factory=list)
    readers: list[tuple[str, int]] = field(default_factory=list)


def find_silu(graph: QuantGraph, product: Node) -> Silu | None:
    """The unit that ends in ``product``, where its convolution has no other reader."""
    if product.op != "mul" or product.activation is not None or len(product.inputs) != 2:
        return None
    first, second = (graph[i] for i in product.inputs)
    conv, gate = (first, second) if second.op == "sigmoid" else (second, first)
    if (
        gate.op == "sigmoid"
        and conv.op == "conv"
        and conv.activation is None
        and gate.inputs == (conv.name,)
        and not {conv.name, gate.name} & set(graph.outputs)
        and {n.name for n in graph.consumers(conv.name)} == {gate.name, product.name}
        and len(graph.consumers(gate.name)) == 1
    ):
        return Silu(conv.name, gate.name, product.name)
    return None


def macs(node: Node) -> int:
    """Multiply-accumulates of a convolution."""
    assert node.weight is not None
    return math.prod(node.shape) * node.weight[0].numel()


def total_macs(graph: QuantGraph) -> int:
    """Sum the MACs of all convolutions."""
    return sum(macs(n) for n in graph if n.op == "conv")


def channel_classes(graph: QuantGraph) -> list[ChannelClass]:
    """Every class whose channels all readers can undo, in topological order."""
    walk = _Walk(graph)
    for node in graph:
        walk.visit(node)
    return walk.classes()


class _Walk:
    """Follows blocks of channels through the graph; ``parent`` is a union-find over classes."""

    def __init__(self, graph: QuantGraph) -> None:
        self._graph = graph
        self._parent: list[int] = []
        self._sizes: list[int] = []
        self._pinned: set[int] = set()
        self._blocks: dict[str, list[Block]] = {}
        self._convs: dict[str, int] = {}
        self._silus: dict[Silu, int] = {}
        self._reads: list[str] = []

    def visit(self, node: Node) -> None:
        """Gives the node's output its blocks, and pins what it reads where it cannot pass factors on."""
        blocks = self._passed_on(node)
        if blocks is None:
            for name in node.inputs:
                self._pin(self._blocks[name])
            blocks = self._made(node)
        self._blocks[node.name] = blocks
        if node.name in self._graph.outputs:
            self._pin(blocks)

    def _passed_on(self, node: Node) -> list[Block] | None:
        """Blocks of an output whose factors are those of an input, or that undoes them; else None."""
        inputs = [self._blocks[i] for i in node.inputs]
        if node.op == "conv" and (node.depthwise or node.attrs["groups"] == 1):
            self._reads.append(node.name)
            return self._made(node)
        silu = find_silu(self._graph, node)
        if silu is not None:
            self._pin(inputs[0])
            block = self._new(node.shape[1])
            self._silus[silu] = block[0]
            return [block]
        if node.activation not in (None, "relu"):
            return None
        if node.op in _PASSES or (node.op == "pad" and node.attrs["value"] == 0.0):
            return list(inputs[0])
        if node.op == "concat":
            return [block for blocks in inputs for block in blocks]
        if node.op == "mul":
            gates = [self._is_gate(i) for i in node.inputs]
            value = node.inputs[gates.index(False)] if gates.count(True) == 1 else ""
            if value and self._graph[value].shape[1] == node.shape[1]:
                self._pin(inputs[gates.index(True)])
                return list(inputs[gates.index(False)])
        if node.op == "add" and [b[1] for b in inputs[0]] == [b[1] for b in inputs[1]]:
            for (a, _), (b, _) in zip(*inputs, strict=True):
                self._join(a, b)
            return list(inputs[0])
        return None

    def _is_gate(self, name: str) -> bool:
        node = self._graph[name]
        return node.op == "sigmoid" or node.activation == "unit"

    def _made(self, node: Node) -> list[Block]:
        """Blocks of an output with factors of its own; pinned where it cannot be divided."""
        block = self._new(node.shape[1])
        if node.op == "conv" and node.activation in (None, "relu", "relu6"):
            self._convs[node.name] = block[0]
        else:
            self._pin([block])
        return [block]

    def _new(self, channels: int) -> Block:
        self._parent.append(len(self._parent))
        self._sizes.append(channels)
        return len(self._parent) - 1, channels

    def _find(self, number: int) -> int:
        while self._parent[number] != number:
            number = self._parent[number]
        return number

    def _join(self, a: int, b: int) -> None:
        a, b = self._find(a), self._find(b)
        if a == b:
            return
        self._parent[max(a, b)] = min(a, b)
        if max(a, b) in self._pinned:
            self._pinned.add(min(a, b))

    def _pin(self, blocks: list[Block]) -> None:
        self._pinned.update(self._find(number) for number, _ in blocks)

    def classes(self) -> list[ChannelClass]:
        """What is left free and is read by somebody."""
        pinned = {self._find(n) for n in self._pinned}
        found: dict[int, ChannelClass] = {}

        def of(number: int) -> ChannelClass | None:
            root = self._find(number)
            if root in pinned:
                return None
            return found.setdefault(root, ChannelClass(self._sizes[root]))

        for name, blocks in self._blocks.items():
            first = 0
            for number, channels in blocks:
                if (entry := of(number)) is not None:
                    entry.tensors.append((name, first))
                first += channels
        for conv, number in self._convs.items():
            if (entry := of(number)) is not None:
                entry.convs.append(conv)
        for silu, number in self._silus.items():
            if (entry := of(number)) is not None:
                entry.silus.append(silu)
        for reader in self._reads:
            first = 0
            for number, channels in self._blocks[self._graph[reader].inputs[0]]:
                if (entry := of(number)) is not None:
                    entry.readers.append((reader, first))
                first += channels
        return [c for c in found.values() if c.readers]
