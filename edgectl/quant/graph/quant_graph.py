"""``QuantGraph``: the small graph every backend writer reads, executable in torch.

A straight list of nodes in topological order, NCHW shapes with batch size 1 written down, batch
norm folded, activations fused into the op that produces them. The op set is data (:data:`OPS`): the
tracer, the backends' checkers, the docs and the tests share it.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from edgectl.quant.graph.functions import FUNCTIONS

Activation = Literal["relu", "relu6", "unit"] | None
"""Fused clamp after an op: relu [0, inf), relu6 [0, 6], unit [0, 1] (a folded hard-sigmoid)."""


@dataclass(frozen=True)
class Op:
    """What an op means. ``attrs`` names every attribute a node of this op must carry."""

    summary: str
    attrs: tuple[str, ...] = ()
    weighted: bool = False
    shares_range: bool = False
    """Output values are copies of input values: an integer kernel does not rescale."""


OPS: dict[str, Op] = {
    "input": Op("the network input, already lowered"),
    "conv": Op(
        "2-D convolution; depthwise when groups == in channels, with one filter a channel or more",
        ("stride", "padding", "dilation", "groups"),
        weighted=True,
    ),
    "conv_transpose": Op(
        "2-D transposed convolution; padding is cut off its result",
        ("stride", "padding"),
        weighted=True,
    ),
    "linear": Op("fully connected over the last dimension", weighted=True),
    "add": Op("element-wise sum of two tensors (broadcast over H, W)"),
    "mul": Op("element-wise product of two tensors (broadcast over H, W)"),
    "concat": Op("along channels", shares_range=True),
    "sigmoid": Op("logistic function"),
    "softmax": Op("over channels"),
    "lookup": Op("one function of every element", ("function", "slope")),
    "prelu": Op("leaky ReLU with a slope a channel", ("slopes",)),
    "matmul": Op("product of two tensors over their last two axes; the others are a batch"),
    "mean": Op("global average over H, W, kept as 1x1"),
    "max_pool": Op("", ("kernel", "stride", "padding"), shares_range=True),
    "avg_pool": Op("without counting padding", ("kernel", "stride", "padding"), shares_range=True),
    "upsample": Op("nearest neighbor by an integer factor", ("factor",), shares_range=True),
    "resize": Op(
        "to any size, bilinear or nearest", ("size", "mode", "aligned"), shares_range=True
    ),
    "pad": Op("constant border", ("padding", "value"), shares_range=True),
    "reshape": Op("same elements, NCHW order", ("shape",), shares_range=True),
    "transpose": Op("axes in another order; the batch stays first", ("order",), shares_range=True),
    "slice": Op("elements of one axis", ("axis", "start", "stop", "step"), shares_range=True),
    "constant": Op("numbers that do not depend on the image", ("value",)),
    "requantize": Op("the same numbers on another integer grid"),
}
"""Attributes: stride, dilation, kernel, size are (h, w); padding is (top, bottom, left, right).

``aligned``: the corners of a bilinear resize's input and output are the same points (``align_corners``).
"""


@dataclass(eq=False)
class Node:
    """One op.

    Attributes:
        name: unique; the name of the tensor it produces.
        op: key of :data:`OPS`.
        inputs: names of the producing nodes.
        shape: output shape, NCHW or (1, C) or any other of up to five axes, batch 1.
        attrs: see ``OPS[op].attrs``.
        activation: fused clamp, applied last.
        origin: path of the module it came from, for messages (``features.3.conv``).
        weight: conv (out, in/groups, kh, kw), conv_transpose (out, in, kh, kw), linear (out, in), float32.
        bias: (out,) float32; always present on weighted ops.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    activation: Activation = None
    origin: str = ""
    weight: Tensor | None = None
    bias: Tensor | None = None

    @property
    def depthwise(self) -> bool:
        """A convolution whose filters read one channel each; a channel may have several filters."""
        return (
            self.op == "conv"
            and self.attrs["groups"] > 1
            and self.weight is not None
            and self.weight.shape[1] == 1
        )


class QuantGraph:
    """Nodes in topological order. Iterating yields them; ``graph[name]`` is one."""

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[str]) -> None:
        self._nodes = {n.name: n for n in nodes}
        if len(self._nodes) != len(nodes):
            raise ValueError("duplicate node names")
        self.outputs = tuple(outputs)
        self.check()

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    @property
    def input(self) -> Node:
        """The one network input."""
        return next(n for n in self if n.op == "input")

    def consumers(self, name: str) -> list[Node]:
        """Nodes that read the tensor ``name``."""
        return [n for n in self if name in n.inputs]

    def descendants(self, names: Iterable[str]) -> set[str]:
        """These tensors and all that depend on them: what is stale once they change."""
        stale = set(names)
        for node in self:
            if not stale.isdisjoint(node.inputs):
                stale.add(node.name)
        return stale

    def copy(self) -> QuantGraph:
        """Deep: weights are cloned."""
        return copy.deepcopy(self)

    def check(self) -> None:
        """Raises ValueError unless ops are known, attributes complete and the order topological."""
        seen: set[str] = set()
        for node in self:
            if node.op not in OPS:
                raise ValueError(f"{node.name}: unknown op {node.op!r}")
            if set(node.attrs) != set(OPS[node.op].attrs):
                raise ValueError(f"{node.name}: {node.op} needs attributes {OPS[node.op].attrs}")
            if OPS[node.op].weighted and (node.weight is None or node.bias is None):
                raise ValueError(f"{node.name}: {node.op} without weight or bias")
            missing = [i for i in node.inputs if i not in seen]
            if missing:
                raise ValueError(f"{node.name}: inputs {missing} are not computed before it")
            seen.add(node.name)
        absent = [o for o in self.outputs if o not in seen]
        if absent:
            raise ValueError(f"outputs {absent} are not in the graph")

    def run(self, x: Tensor, taps: dict[str, Tensor] | None = None) -> list[Tensor]:
        """Float execution. x: (N, C, H, W), any N. ``taps``, when given, receives every tensor."""

        def step(node: Node, inputs: list[Tensor]) -> Tensor:
            return x if node.op == "input" else execute(node, inputs, node.weight, node.bias)

        return self.evaluate(step, taps=taps)

    def evaluate(
        self,
        step: Callable[[Node, list[Tensor]], Tensor],
        outputs: Sequence[str] | None = None,
        *,
        known: Mapping[str, Tensor] | None = None,
        taps: dict[str, Tensor] | None = None,
    ) -> list[Tensor]:
        """The one interpreter: ``step(node, input tensors)`` computes each tensor the outputs need.

        Args:
            outputs: tensors to return; the graph's outputs when None.
            known: tensors already computed; their nodes and what only they need are not run.
            taps: receives every tensor computed. Without it a tensor is dropped after its last use.
        """
        wanted = self.outputs if outputs is None else tuple(outputs)
        values: dict[str, Tensor] = dict(known or {})
        needed = self._ancestors(wanted, values)
        uses = Counter(i for n in needed for i in n.inputs)
        for node in needed:
            value = step(node, [values[i] for i in node.inputs])
            values[node.name] = value
            if taps is not None:
                taps[node.name] = value
            for name in node.inputs:
                uses[name] -= 1
                if not uses[name] and name not in wanted:
                    values.pop(name, None)
        return [values[o] for o in wanted]

    def _ancestors(self, wanted: Sequence[str], known: Mapping[str, Tensor]) -> list[Node]:
        """Nodes to run, in order, to obtain ``wanted`` from what is known."""
        needed = {name for name in wanted if name not in known}
        for node in reversed(self._nodes.values()):
            if node.name in needed:
                needed.update(i for i in node.inputs if i not in known)
        return [n for n in self if n.name in needed]


def execute(
    node: Node, inputs: Sequence[Tensor], weight: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """One op in float torch, its fused activation included. Inputs (N, C, H, W) or (N, C).

    ``weight`` and ``bias`` are passed in so that fake-quantized ones can stand in for the node's.
    """
    return activate(_compute(node, list(inputs), weight, bias), node.activation)


def activate(y: Tensor, activation: Activation) -> Tensor:
    """The fused clamp."""
    if activation == "relu":
        return F.relu(y)
    if activation == "relu6":
        return F.relu6(y)
    if activation == "unit":
        return y.clamp(0.0, 1.0)
    return y


def pad2d(x: Tensor, padding: Sequence[int], value: float = 0.0) -> Tensor:
    """padding: (top, bottom, left, right), the order used throughout the graph."""
    top, bottom, left, right = padding
    return F.pad(x, (left, right, top, bottom), value=value) if any(padding) else x


def _compute(node: Node, v: list[Tensor], weight: Tensor | None, bias: Tensor | None) -> Tensor:
    a = node.attrs
    match node.op:
        case "conv":
            assert weight is not None
            top, bottom, left, right = a["padding"]
            if top == bottom and left == right:
                x, pad = v[0], (top, left)
            else:
                x, pad = pad2d(v[0], a["padding"]), (0, 0)
            return F.conv2d(x, weight, bias, a["stride"], pad, a["dilation"], a["groups"])
        case "linear":
            assert weight is not None
            return F.linear(v[0], weight, bias)
        case "add":
            return v[0] + v[1]
        case "mul":
            return v[0] * v[1]
        case "concat":
            return torch.cat(v, dim=1)
        case "sigmoid":
            return torch.sigmoid(v[0])
        case "softmax":
            return torch.softmax(v[0], dim=1)
        case "mean":
            return v[0].mean(dim=(2, 3), keepdim=True)
        case "max_pool":
            x = pad2d(v[0], a["padding"], float("-inf"))
            return F.max_pool2d(x, a["kernel"], a["stride"])
        case "avg_pool":
            top, bottom, left, right = a["padding"]
            if (top, left) == (bottom, right):
                return F.avg_pool2d(
                    v[0], a["kernel"], a["stride"], (top, left), count_include_pad=False
                )
            inside = torch.ones_like(v[0][:1, :1])
            whole, share = (
                F.avg_pool2d(pad2d(t, a["padding"]), a["kernel"], a["stride"])
                for t in (v[0], inside)
            )
            return whole / share
        case "upsample":
            return F.interpolate(v[0], scale_factor=float(a["factor"]), mode="nearest")
        case "pad":
            return pad2d(v[0], a["padding"], a["value"])
        case "reshape":
            return v[0].reshape(v[0].shape[0], *a["shape"][1:])
    return _compute_more(node, v, weight, bias)


def _compute_more(
    node: Node, v: list[Tensor], weight: Tensor | None, bias: Tensor | None
) -> Tensor:
    """Operations few networks have."""
    a = node.attrs
    match node.op:
        case "conv_transpose":
            assert weight is not None
            whole = F.conv_transpose2d(v[0], weight.transpose(0, 1), bias, a["stride"])
            top, bottom, left, right = a["padding"]
            height, width = whole.shape[2:]
            return whole[:, :, top : height - bottom, left : width - right]
        case "lookup":
            return FUNCTIONS[a["function"]](v[0], a["slope"])
        case "prelu":
            return F.prelu(v[0], torch.tensor(a["slopes"], dtype=v[0].dtype, device=v[0].device))
        case "matmul":
            return v[0] @ v[1]
        case "resize":
            if a["mode"] == "nearest":
                return F.interpolate(v[0], a["size"])
            return F.interpolate(v[0], a["size"], mode="bilinear", align_corners=a["aligned"])
        case "transpose":
            return v[0].permute(a["order"])
        case "slice":
            at = [slice(None)] * v[0].ndim
            at[a["axis"]] = slice(a["start"], a["stop"], a["step"])
            return v[0][tuple(at)]
        case "constant":
            value: Tensor = a["value"]
            return value
        case "requantize":
            return v[0].clone()
    raise ValueError(f"{node.name}: op {node.op!r} cannot be executed")
