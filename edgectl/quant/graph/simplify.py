"""Draft nodes to a :class:`QuantGraph` by an ordered list of rewrites, exact in real arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from edgectl.quant.graph.draft import Draft
from edgectl.quant.graph.moves import (
    find_gelus,
    find_shuffles,
    fold_focus,
    move_takes,
    refuse_parts,
    settle_moves,
    sink_scalars,
)
from edgectl.quant.graph.quant_graph import Activation, Node, QuantGraph
from edgectl.quant.graph.selects import move_selects

_UPPER: dict[Activation, float] = {"relu": math.inf, "relu6": 6.0, "unit": 1.0}
"""Every fused activation is a clamp from zero to this."""

_TAKES_ACTIVATION = frozenset({"conv", "linear", "add", "mul", "affine"})


def fold_affine(draft: Draft) -> None:
    """Given: conv -> affine. Result: conv with scaled weights (batch norm folding)."""
    for node in [n for n in draft.nodes if n.op == "affine"]:
        producer = draft.find(node.inputs[0])
        if (
            producer.weight is None
            or producer.bias is None
            or producer.activation
            or not draft.only_feeds(producer, node)
        ):
            continue
        assert node.weight is not None and node.bias is not None
        scale = node.weight.double()
        shape = (-1, *[1] * (producer.weight.ndim - 1))
        producer.weight = (producer.weight.double() * scale.reshape(shape)).float()
        producer.bias = (producer.bias.double() * scale + node.bias.double()).float()
        draft.bypass(node)


def fold_affine_forward(draft: Draft) -> None:
    """Given: an affine nobody above could take -> linears and convs. Result: theirs, with its numbers in
    their weights."""
    for node in [n for n in draft.nodes if n.op == "affine" and not n.activation]:
        readers = draft.consumers(node.name)
        if node.name in draft.outputs or not all(_takes_affine(node, r) for r in readers):
            continue
        assert node.weight is not None and node.bias is not None
        for reader in readers:
            assert reader.weight is not None and reader.bias is not None
            taps = (1, -1, *[1] * (reader.weight.ndim - 2))
            weight = reader.weight.double()
            shift = (weight * node.bias.double().reshape(taps)).flatten(1).sum(1)
            reader.bias = (reader.bias.double() + shift).float()
            reader.weight = (weight * node.weight.double().reshape(taps)).float()
        draft.bypass(node)


def _takes_affine(node: Node, reader: Node) -> bool:
    """Whether nothing the reader sees, a border of zeros included, stands outside its weights."""
    if reader.op == "linear":
        return True
    if reader.op != "conv" or reader.attrs["groups"] != 1:
        return False
    assert node.bias is not None
    return not any(reader.attrs["padding"]) or not bool(node.bias.any())


def fuse_clamp(draft: Draft) -> None:
    """Given: conv -> clamp(0, 6). Result: conv with activation relu6.

    A clamp whose producer has other readers, or cannot clamp, becomes an affine of one, and so a
    depthwise 1x1 convolution: every backend has that.
    """
    for node in [n for n in draft.nodes if n.op == "clamp"]:
        activation = _activation(node)
        producer = draft.find(node.inputs[0])
        if producer.op in _TAKES_ACTIVATION and draft.only_feeds(producer, node):
            upper = min(_UPPER[activation], _UPPER.get(producer.activation, math.inf))
            producer.activation = next(a for a, u in _UPPER.items() if u == upper)
            draft.bypass(node)
        else:
            node.op, node.attrs, node.activation = "affine", {}, activation
            node.weight, node.bias = torch.ones(node.shape[1]), torch.zeros(node.shape[1])


def _activation(node: Node) -> Activation:
    bounds = (node.attrs["lo"], node.attrs["hi"])
    return next(a for a, upper in _UPPER.items() if bounds == (0.0, upper))


def materialize_affine(draft: Draft) -> None:
    """Given: an affine nobody could take. Result: a depthwise 1x1 convolution."""
    for node in [n for n in draft.nodes if n.op == "affine"]:
        assert node.weight is not None and node.bias is not None
        idle = bool((node.weight == 1).all()) and not bool(node.bias.any()) and not node.activation
        if idle and (node.name not in draft.outputs or node.inputs[0] not in draft.outputs):
            draft.bypass(node)
            continue
        if len(node.shape) not in (2, 4):
            node = _as_map(draft, node)
        assert node.weight is not None
        if len(node.shape) == 2:
            node.op, node.weight = "linear", torch.diag(node.weight)
            continue
        node.op = "conv"
        node.weight = node.weight.reshape(-1, 1, 1, 1)
        node.attrs = {
            "stride": (1, 1),
            "padding": (0, 0, 0, 0),
            "dilation": (1, 1),
            "groups": node.shape[1],
        }


def _as_map(draft: Draft, node: Node) -> Node:
    """The affine of a tensor that is no feature map, of one that is: a reshape before and one behind."""
    source = node.inputs[0]
    shape = (*node.shape[:2], math.prod(node.shape[2:]), 1)
    before, inner = (draft.unique(f"{node.name}_{w}") for w in ("map", "inner"))
    made = [
        Node(before, "reshape", (source,), shape, {"shape": shape}, origin=node.origin),
        replace(node, name=inner, inputs=(before,), shape=shape),
    ]
    at = draft.nodes.index(node)
    draft.nodes[at:at] = made
    node.op, node.inputs, node.attrs = "reshape", (inner,), {"shape": node.shape}
    node.weight = node.bias = node.activation = None
    return made[1]


def fuse_pad(draft: Draft) -> None:
    """Given: pad(0) -> convs. Result: convs with padding."""
    for node in [n for n in draft.nodes if n.op == "pad" and n.attrs["value"] == 0.0]:
        readers = draft.consumers(node.name)
        if node.name in draft.outputs or any(r.op != "conv" for r in readers):
            continue
        for reader in readers:
            pairs = zip(reader.attrs["padding"], node.attrs["padding"], strict=True)
            reader.attrs["padding"] = tuple(own + more for own, more in pairs)
        draft.bypass(node)


def drop_dead(draft: Draft) -> None:
    """Removes what no output depends on; the input stays."""
    alive = set(draft.outputs)
    for node in reversed(draft.nodes):
        if node.name in alive:
            alive.update(node.inputs)
    draft.nodes = [n for n in draft.nodes if n.name in alive or n.op == "input"]


PASSES: tuple[Callable[[Draft], None], ...] = (
    drop_dead,  # selections go by who else reads a tensor
    find_gelus,
    drop_dead,
    refuse_parts,
    fold_focus,  # while its parts are still parts
    drop_dead,
    find_shuffles,  # before their moves are merged with others
    settle_moves,
    move_takes,  # they become selections of channels
    drop_dead,
    move_selects,  # while batch norm and clamps are still operations a channel
    drop_dead,
    settle_moves,  # those that selections stood between
    sink_scalars,
    fold_affine,  # before the clamps, so that they find the convolution directly before them
    fuse_clamp,
    fold_affine_forward,
    materialize_affine,  # after both had their chance; before padding, which may fuse into it
    fuse_pad,
    drop_dead,
)


def simplify(nodes: Sequence[Node], outputs: Sequence[str]) -> QuantGraph:
    """Runs :data:`PASSES`. Raises UnsupportedOpError on what means nothing without its reader."""
    draft = Draft(list(nodes), list(outputs))
    for rewrite in PASSES:
        rewrite(draft)
    return QuantGraph(draft.nodes, draft.outputs)
