"""What a network costs: parameters, multiply-accumulates, bytes moved, layer by layer.

One MAC is one multiplication with its addition, in convolutions, fully connected layers and matrix
products; norms, activations, pooling and resizing count none (as the papers of the networks count, who call
it FLOPs). Batch norm and element-wise activations are taken to be fused into what they follow: they
move no bytes of their own, as in every deployed file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node

from edgectl.spec import Size

_FLOAT = 4

_FUSED = frozenset(
    {
        "batch_norm", "_native_batch_norm_legit_no_training", "relu", "relu_", "hardtanh", "hardtanh_",
        "relu6", "silu", "silu_", "sigmoid", "sigmoid_", "hardsigmoid", "hardswish", "hardswish_",
        "dropout", "dropout_", "feature_dropout", "clone", "contiguous",
    }
)  # fmt: skip
_VIEWS = frozenset(
    {"view", "reshape", "flatten", "permute", "transpose", "squeeze", "unsqueeze", "getitem",
     "split", "chunk", "expand", "slice", "select", "alias", "detach", "_unsafe_view"}
)  # fmt: skip


@dataclass(frozen=True)
class LayerCost:
    """One computation. ``shape``: of its output, batch 1. Bytes at the precision computed in."""

    name: str
    op: str
    shape: tuple[int, ...]
    params: int
    macs: int
    bytes_read: int
    bytes_written: int

    @property
    def intensity(self) -> float:
        """Multiply-accumulates a byte moved: low means that memory, not arithmetic, sets the pace."""
        return self.macs / max(1, self.bytes_read + self.bytes_written)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "shape": list(self.shape), "intensity": round(self.intensity, 3)}


@dataclass(frozen=True)
class Profile:
    """``activation_peak_bytes``: most that is alive at once, the input included. ``params`` counts
    shared parameters once."""

    layers: tuple[LayerCost, ...]
    params: int
    activation_peak_bytes: int

    @property
    def macs(self) -> int:
        """Sum over all layers."""
        return sum(layer.macs for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "params": self.params,
            "macs": self.macs,
            "activation_peak_bytes": self.activation_peak_bytes,
            "bytes_read": sum(layer.bytes_read for layer in self.layers),
            "bytes_written": sum(layer.bytes_written for layer in self.layers),
            "layers": [layer.to_dict() for layer in self.layers],
        }


def profile_network(model: nn.Module, input_size: Size, *, in_chans: int = 3) -> Profile:
    """Profile a float32 network on one image. Nothing is computed: shapes alone are traced."""
    model = model.eval()
    x = torch.zeros(1, in_chans, *input_size)
    program = torch.export.export(model, (x,), strict=False)
    weights = {
        spec.arg.name
        for spec in program.graph_signature.input_specs
        if spec.kind.name in ("PARAMETER", "BUFFER", "CONSTANT_TENSOR")
    }
    learned = set(program.graph_signature.inputs_to_parameters)
    nodes = list(program.graph.nodes)
    storage = _storages(nodes, weights)
    extra_params = _fused_params(nodes, storage, learned)
    roots = {node for node, root in storage.items() if node is root}
    layers = [
        _cost(node, weights, learned, extra_params.get(node, 0))
        for node in nodes
        if node.op == "call_function" and node in roots and _op(node) not in _VIEWS
    ]
    params = sum(p.numel() for p in model.parameters())
    return Profile(tuple(layers), params, _peak(nodes, storage))


def _op(node: Node) -> str:
    name = getattr(node.target, "__name__", str(node.target))
    return name.split(".")[0]


def _values(node: Node) -> list[Tensor]:
    value = node.meta.get("val")
    values = value if isinstance(value, list | tuple) else [value]
    return [v for v in values if isinstance(v, Tensor)]


def _bytes(node: Node) -> int:
    return sum(v.numel() * _FLOAT for v in _values(node))


def _storages(nodes: Iterable[Node], weights: set[str]) -> dict[Node, Node]:
    """The node in whose memory each activation lies: its own, or that of what it is fused into."""
    storage: dict[Node, Node] = {}
    for node in nodes:
        if node.op == "placeholder":
            if node.name not in weights:
                storage[node] = node
        elif node.op == "call_function" and _values(node):
            source = next((a for a in node.all_input_nodes if a in storage), None)
            alone = source is not None and len(source.users) == 1
            joined = _op(node) in _VIEWS or (_op(node) in _FUSED and alone)
            storage[node] = storage[source] if source is not None and joined else node
    return storage


def _fused_params(
    nodes: Iterable[Node], storage: dict[Node, Node], learned: set[str]
) -> dict[Node, int]:
    """Parameters of norms, by the node they are fused into."""
    found: dict[Node, int] = {}
    for node in nodes:
        root = storage.get(node)
        if root is not None and root is not node:
            found[root] = found.get(root, 0) + _params(node, learned)
    return found


def _params(node: Node, learned: set[str]) -> int:
    return sum(v.numel() for a in node.all_input_nodes if a.name in learned for v in _values(a))


def _cost(node: Node, weights: set[str], learned: set[str], fused: int) -> LayerCost:
    shape = tuple(int(n) for n in _values(node)[0].shape)
    return LayerCost(
        name=_module_of(node),
        op=_op(node),
        shape=shape,
        params=_params(node, learned) + fused,
        macs=_macs(node),
        bytes_read=sum(_bytes(a) for a in node.all_input_nodes),
        bytes_written=_bytes(node),
    )


def _module_of(node: Node) -> str:
    """``backbone.layer1.0.conv1``: the innermost module the call was made in."""
    stack = node.meta.get("nn_module_stack") or {}
    path = next(reversed([entry[0] for entry in stack.values()]), "") if stack else ""
    return path.removeprefix("L['self'].").removeprefix("L['self']") or node.name


def _macs(node: Node) -> int:
    op, inputs = _op(node), node.all_input_nodes
    outputs = sum(v.numel() for v in _values(node))
    if op in ("conv2d", "conv1d", "conv3d", "convolution"):
        weight = _values(inputs[1])[0]
        return outputs * weight[0].numel()
    if op == "linear":
        return outputs * int(_values(inputs[1])[0].shape[1])
    if op in ("matmul", "mm", "bmm", "addmm"):
        left = inputs[1] if op == "addmm" else inputs[0]
        return outputs * int(_values(left)[0].shape[-1])
    return 0


def _peak(nodes: list[Node], storage: dict[Node, Node]) -> int:
    last_use: dict[Node, int] = {}
    for i, node in enumerate(nodes):
        for source in node.all_input_nodes:
            if source in storage:
                last_use[storage[source]] = i
    alive: dict[Node, int] = {}
    peak = 0
    for i, node in enumerate(nodes):
        if storage.get(node) is node:
            alive[node] = _bytes(node)
        peak = max(peak, sum(alive.values()))
        for root in [r for r in alive if last_use.get(r, math.inf) <= i]:
            del alive[root]
    return peak
