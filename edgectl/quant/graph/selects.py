"""Channels taken from a map - splits, chunks, slices, shuffles - without a kernel for it.

A selection moves up through what treats channels alike to the convolution that made them, which then
makes only those: half a convolution each for the two halves of a chunk, at no cost. A permutation moves
down into the weights of its consumers. What can move neither way is a 1x1 convolution of ones and zeros,
exact in integers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from edgectl.quant.graph.draft import Draft
from edgectl.quant.graph.quant_graph import Node

_CHANNELWISE = frozenset(
    {
        "affine", "clamp", "sigmoid", "lookup", "add", "mul",
        "max_pool", "avg_pool", "mean", "upsample", "resize", "pad",
    }
)  # fmt: skip
_LARGEST_GROWTH = 1.5
"""Growth of a convolution whose channels several selections share: beyond, one of ones and zeros is
cheaper."""


def move_selects(draft: Draft) -> None:
    """Given: conv -> silu -> select. Result: a smaller conv -> silu, wherever nobody else reads what goes."""
    while any(_move_up(draft, node) for node in draft.nodes if node.op == "select"):
        pass
    for node in [n for n in draft.nodes if n.op == "select"]:
        if not _absorb_permutation(draft, node):
            _materialize(draft, node)


def _move_up(draft: Draft, node: Node) -> bool:
    """One step; whether anything changed."""
    producer = draft.find(node.inputs[0])
    channels = node.attrs["channels"]
    if producer.op == "select":
        node.inputs = producer.inputs
        node.attrs = {"channels": tuple(producer.attrs["channels"][c] for c in channels)}
        return True
    readers = draft.consumers(producer.name)
    if producer.name in draft.outputs or any(r.op != "select" for r in readers):
        return False
    wanted = list(dict.fromkeys(r.attrs["channels"] for r in readers))
    if sum(map(len, wanted)) > _LARGEST_GROWTH * producer.shape[1] and producer.op == "conv":
        return False
    made = {c: _restrict(draft, producer, c) for c in wanted}
    if not all(made.values()):
        return False
    at = draft.nodes.index(producer)
    parts = [n for nodes in made.values() for n in nodes or ()]
    draft.nodes[at : at + 1] = parts
    for reader in readers:
        nodes = made[reader.attrs["channels"]]
        assert nodes
        draft.replace(reader, nodes[-1].name)
    return True


def _restrict(draft: Draft, node: Node, channels: Sequence[int]) -> list[Node] | None:
    """Nodes that compute only those channels of ``node``, the last one them; None where none can."""
    index = list(channels)
    name = draft.unique(f"{node.name}_part")
    shape = (node.shape[0], len(index), *node.shape[2:])
    weight = None if node.weight is None else node.weight[index]
    bias = None if node.bias is None else node.bias[index]
    part = replace(node, name=name, shape=shape, weight=weight, bias=bias, attrs=dict(node.attrs))
    if node.op == "concat":
        return _restrict_concat(draft, part, index)
    if node.op == "conv_transpose" or (node.op == "conv" and node.attrs["groups"] == 1):
        return [part]
    if node.op == "conv" and node.depthwise and _filters(node) == node.attrs["groups"]:
        part.attrs["groups"] = len(index)
    elif node.op not in _CHANNELWISE:
        return None
    sources = [draft.find(i) for i in node.inputs]
    if any(s.shape[1] != node.shape[1] for s in sources):
        return None
    above = [_select(draft, s, index) for s in sources]
    part.inputs = tuple(n.name for n in above)
    return [*above, part]


def _filters(node: Node) -> int:
    return 0 if node.weight is None else len(node.weight)


def _restrict_concat(draft: Draft, part: Node, index: Sequence[int]) -> list[Node] | None:
    """Runs of channels, each from one input; None where they are too many to be worth it."""
    owners = [
        (i, c) for i in part.inputs for c in range(draft.find(i).shape[1])
    ]  # channel of the concatenation -> (input, its channel)
    runs: list[tuple[str, list[int]]] = []
    for source, channel in (owners[c] for c in index):
        if runs and runs[-1][0] == source and runs[-1][1][-1] + 1 == channel:
            runs[-1][1].append(channel)
        else:
            runs.append((source, [channel]))
    if len(runs) > len(part.inputs):
        return None
    above = [_select(draft, draft.find(source), channels) for source, channels in runs]
    if len(above) == 1:
        return above
    part.inputs = tuple(n.name for n in above)
    return [*above, part]


def _select(draft: Draft, source: Node, channels: Sequence[int]) -> Node:
    shape = (source.shape[0], len(channels), *source.shape[2:])
    return Node(
        draft.unique(f"{source.name}_select"),
        "select",
        (source.name,),
        shape,
        {"channels": tuple(channels)},
        origin=source.origin,
    )


def _absorb_permutation(draft: Draft, node: Node) -> bool:
    """Given: a permutation -> convs. Result: convs with permuted weights."""
    source = draft.find(node.inputs[0])
    channels = list(node.attrs["channels"])
    readers = draft.consumers(node.name)
    if sorted(channels) != list(range(source.shape[1])) or node.name in draft.outputs:
        return False
    if any(r.op not in ("conv", "linear") or r.attrs.get("groups", 1) != 1 for r in readers):
        return False
    for reader in readers:
        assert reader.weight is not None
        weight = torch.empty_like(reader.weight)
        weight[:, channels] = reader.weight
        reader.weight = weight
    draft.bypass(node)
    return True


def _materialize(draft: Draft, node: Node) -> None:
    """Given: a selection nobody could take. Result: a 1x1 convolution of ones and zeros; a slice where
    there are no positions for one."""
    channels = node.attrs["channels"]
    weight = torch.zeros(len(channels), draft.find(node.inputs[0]).shape[1])
    weight[torch.arange(len(channels)), list(channels)] = 1.0
    node.bias = torch.zeros(len(channels))
    if len(node.shape) == 2:
        node.op, node.weight, node.attrs = "linear", weight, {}
        return
    node.op, node.weight = "conv", weight[:, :, None, None]
    node.attrs = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": 1}
