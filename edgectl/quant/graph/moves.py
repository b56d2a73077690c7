"""Changes of axes and shapes, moved until they cancel; what is left of them costs a copy on the device.

A transformer block is convolutions and tables of one element between changes of axes that undo each other;
a channel shuffle is three of them that only permute channels; a part of one axis of them is a part of the
channels of the convolution above.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from edgectl.errors import UnsupportedOpError
from edgectl.quant.graph.draft import Draft
from edgectl.quant.graph.quant_graph import Node

_MOVES = frozenset({"transpose", "reshape"})
_ELEMENTS = frozenset({"sigmoid", "lookup", "clamp", "add", "mul"})
"""What does not care about the order of elements, as long as all inputs have the same."""


def find_shuffles(draft: Draft) -> None:
    """Given: reshape -> transpose -> reshape that permute channels. Result: a selection of channels."""
    for node in [n for n in draft.nodes if n.op == "reshape"]:
        turned = draft.find(node.inputs[0])
        if turned.op != "transpose":
            continue
        apart = draft.find(turned.inputs[0])
        if apart.op != "reshape":
            continue
        shape = draft.find(apart.inputs[0]).shape
        if shape != node.shape or len(shape) != 4:
            continue
        numbers = torch.arange(math.prod(shape)).reshape(apart.shape)
        moved = numbers.permute(turned.attrs["order"]).reshape(shape)
        plane = math.prod(shape[2:])
        channels = moved[0, :, 0, 0] // plane
        if torch.equal(moved, torch.arange(math.prod(shape)).reshape(shape)[:, channels]):
            node.op, node.inputs = "select", apart.inputs
            node.attrs = {"channels": tuple(channels.tolist())}


def settle_moves(draft: Draft) -> None:
    """Given: transpose -> gelu -> the transpose back. Result: gelu."""
    while any(_settle(draft, node) for node in draft.nodes):
        pass


def _settle(draft: Draft, node: Node) -> bool:
    """One step; whether anything changed."""
    if node.op in _MOVES:
        return _merge(draft, node)
    if node.op not in _ELEMENTS and not _is_uniform(node):
        return False
    above = [draft.find(i) for i in node.inputs]
    first = above[0]
    same = all(
        m.op == first.op and m.shape == first.shape and m.attrs == first.attrs for m in above
    )
    if first.op not in _MOVES or not same:
        return False
    sources = [draft.find(m.inputs[0]) for m in above]
    if any(s.shape != sources[0].shape for s in sources):
        return False
    inner = replace(
        node,
        name=draft.unique(f"{node.name}_inner"),
        inputs=tuple(s.name for s in sources),
        shape=sources[0].shape,
    )
    if node.weight is not None and node.bias is not None:
        inner.weight, inner.bias = (v[:1].repeat(inner.shape[1]) for v in (node.weight, node.bias))
    draft.nodes.insert(draft.nodes.index(node), inner)
    node.op, node.attrs, node.inputs = first.op, dict(first.attrs), (inner.name,)
    node.weight = node.bias = None
    return True


def _is_uniform(node: Node) -> bool:
    """Whether it is ``a * x + b`` with two numbers."""
    if node.op != "affine" or node.weight is None or node.bias is None:
        return False
    return all(bool((v == v[0]).all()) for v in (node.weight, node.bias))


def _merge(draft: Draft, node: Node) -> bool:
    """Two moves in a row are one; one that moves nothing is none."""
    source = draft.find(node.inputs[0])
    if source.op == node.op:
        if node.op == "transpose":
            node.attrs = {"order": tuple(source.attrs["order"][o] for o in node.attrs["order"])}
        node.inputs = source.inputs
        return True
    idle = node.shape == source.shape and (
        node.op == "reshape" or node.attrs["order"] == tuple(range(len(node.shape)))
    )
    if idle and (source.op != "input" or node.name not in draft.outputs):
        draft.bypass(node)
        return True
    return False


def move_takes(draft: Draft) -> None:
    """Given: conv -> reshape -> transpose -> part of an axis. Result: a part of the convolution's channels.

    What arrives at no channels is a slice.
    """
    while any(_move_take(draft, node) for node in draft.nodes if node.op == "take"):
        pass
    for node in [n for n in draft.nodes if n.op == "take"]:
        _slice(draft, node)


def _move_take(draft: Draft, node: Node) -> bool:
    source = draft.find(node.inputs[0])
    axis, index = node.attrs["axis"], node.attrs["index"]
    if axis == 1 and len(node.shape) == 4:
        node.op, node.attrs = "select", {"channels": index}
        return True
    if source.op == "transpose":
        moved: tuple[int, tuple[int, ...]] | None = (source.attrs["order"][axis], index)
    elif source.op == "reshape":
        moved = _before_reshape(draft.find(source.inputs[0]).shape, source.shape, axis, index)
    else:
        moved = None
    if moved is None:
        return False
    above = draft.find(source.inputs[0])
    shape = (*above.shape[: moved[0]], len(moved[1]), *above.shape[moved[0] + 1 :])
    part = Node(
        draft.unique(f"{node.name}_part"),
        "take",
        (above.name,),
        shape,
        {"axis": moved[0], "index": moved[1]},
        origin=node.origin,
    )
    draft.nodes.insert(draft.nodes.index(node), part)
    node.op, node.inputs, node.attrs = source.op, (part.name,), dict(source.attrs)
    if node.op == "reshape":
        node.attrs = {"shape": node.shape}
    return True


def _before_reshape(
    before: tuple[int, ...], after: tuple[int, ...], axis: int, index: tuple[int, ...]
) -> tuple[int, tuple[int, ...]] | None:
    """The axis, and its elements, that become those elements of ``axis``; None where they are spread over
    several axes."""
    for start, size in enumerate(before):
        done = math.prod(before[:start])
        first = next((k for k in range(len(after)) if math.prod(after[:k]) == done), None)
        if first is None or size == 1:
            continue
        while first < len(after) and after[first] == 1 and first < axis:
            first += 1
        last = next(
            (k for k in range(first, len(after)) if math.prod(after[first : k + 1]) == size), None
        )
        if last is None or not first <= axis <= last:
            continue
        numbers = torch.arange(size).reshape(after[first : last + 1])
        kept = numbers.index_select(axis - first, torch.tensor(index))
        return start, tuple(kept.flatten().tolist())
    return None


def _slice(draft: Draft, node: Node) -> None:
    axis, index = node.attrs["axis"], node.attrs["index"]
    step = index[1] - index[0] if len(index) > 1 else 1
    if _pick_by_convolution(draft, node):
        return
    if step > 0 and index == tuple(range(index[0], index[-1] + 1, step)):
        node.op = "slice"
        node.attrs = {"axis": axis, "start": index[0], "stop": index[-1] + 1, "step": step}
        return
    # any other order: a convolution of ones and zeros over that axis
    source = draft.find(node.inputs[0])
    order = (0, axis, *(a for a in range(1, len(source.shape)) if a != axis))
    turned = tuple(source.shape[o] for o in order)
    flat = (1, turned[1], math.prod(turned[2:]), 1)
    names = [draft.unique(f"{node.name}_{i}") for i in range(4)]
    shapes = [turned, flat, (1, len(index), *flat[2:]), (1, len(index), *turned[2:])]
    ops = ["transpose", "reshape", "select", "reshape"]
    attrs = [{"order": order}, {"shape": flat}, {"channels": index}, {"shape": shapes[3]}]
    chain = [
        Node(name, op, (previous,), shape, dict(a), origin=node.origin)
        for name, op, previous, shape, a in zip(
            names, ops, [source.name, *names], shapes, attrs, strict=False
        )
    ]
    at = draft.nodes.index(node)
    draft.nodes[at:at] = chain
    node.op, node.inputs = "transpose", (names[-1],)
    node.attrs = {"order": tuple(order.index(a) for a in range(len(order)))}


def _pick_by_convolution(draft: Draft, node: Node) -> bool:
    """Given: every second row or column. Result: a depthwise convolution with a single one, which every
    backend has and which is exact in integers too."""
    axis, index = node.attrs["axis"], node.attrs["index"]
    if len(node.shape) != 4 or axis < 2 or len(index) < 2:
        return False
    step, size = index[1] - index[0], draft.find(node.inputs[0]).shape[axis]
    whole = tuple(range(index[0], size, step)) if step > 1 else ()
    if index != whole or index[0] >= step:
        return False
    channels, kernel, stride = node.shape[1], [1, 1], [1, 1]
    kernel[axis - 2], stride[axis - 2] = index[0] + 1, step
    node.op, node.weight = "conv", torch.zeros(channels, 1, *kernel)
    node.weight[:, 0, -1, -1] = 1.0
    node.bias = torch.zeros(channels)
    node.attrs = {
        "stride": tuple(stride),
        "padding": (0, 0, 0, 0),
        "dilation": (1, 1),
        "groups": channels,
    }
    return True


def fold_focus(draft: Draft) -> None:
    """Given: every second row and column, four times, joined, then a convolution. Result: one convolution
    of twice the kernel and stride."""
    for joint in [n for n in draft.nodes if n.op == "concat" and len(n.inputs) == 4]:
        readers = draft.consumers(joint.name)
        corners = [_corner(draft, i) for i in joint.inputs]
        sources = {c[0] for c in corners if c is not None}
        if None in corners or len(sources) != 1 or len(readers) != 1 or readers[0].op != "conv":
            continue
        (conv,) = readers
        plain = conv.attrs["groups"] == 1 and conv.attrs["dilation"] == (1, 1)
        if not plain or joint.name in draft.outputs or conv.weight is None:
            continue
        out, channels, high, wide = conv.weight.shape
        weight = torch.zeros(out, channels // 4, 2 * high, 2 * wide)
        for corner, part in zip(corners, conv.weight.chunk(4, 1), strict=True):
            assert corner is not None
            weight[:, :, corner[1] :: 2, corner[2] :: 2] = part
        conv.weight, conv.inputs = weight, (sources.pop(),)
        for name in ("stride", "padding"):
            conv.attrs[name] = tuple(2 * v for v in conv.attrs[name])


def _corner(draft: Draft, name: str) -> tuple[str, int, int] | None:
    """(tensor, first row, first column) of its every second row and column that ``name`` is."""
    node, first = draft.find(name), {2: -1, 3: -1}
    while node.op == "take" and first.get(node.attrs["axis"]) == -1:
        axis, index = node.attrs["axis"], node.attrs["index"]
        size = draft.find(node.inputs[0]).shape[axis]
        if size % 2 or index[0] > 1 or index != tuple(range(index[0], size, 2)):
            return None
        first[axis] = index[0]
        node = draft.find(node.inputs[0])
    return None if -1 in first.values() else (node.name, first[2], first[3])


def sink_scalars(draft: Draft) -> None:
    """Given: conv -> reshape -> matmul -> times a number. Result: the number in the convolution's weights."""
    while any(_sink(draft, node) for node in draft.nodes if node.op == "affine"):
        pass


def _sink(draft: Draft, node: Node) -> bool:
    source = draft.find(node.inputs[0])
    assert node.weight is not None and node.bias is not None
    if (
        not _is_uniform(node)
        or bool(node.bias.any())
        or source.op not in (*_MOVES, "matmul")
        or not draft.only_feeds(source, node)
    ):
        return False
    above = draft.find(source.inputs[0])
    if above.op == "input" or source.inputs[0] in source.inputs[1:]:
        return False
    scale = node.weight[:1].expand(above.shape[1]).clone()
    inner = replace(
        node,
        name=draft.unique(f"{node.name}_inner"),
        inputs=(above.name,),
        shape=above.shape,
        weight=scale,
        bias=torch.zeros_like(scale),
    )
    draft.nodes.insert(draft.nodes.index(source), inner)
    node.op, node.attrs, node.weight, node.bias = source.op, dict(source.attrs), None, None
    node.inputs = (inner.name, *source.inputs[1:])
    draft.nodes.remove(source)
    return True


def find_gelus(draft: Draft) -> None:
    """Given: x * (1 + erf(x / sqrt(2))), as files have it. Result: twice a GELU."""
    for erf in [n for n in draft.nodes if n.op == "erf"]:
        scaled = draft.find(erf.inputs[0])
        for raised in draft.consumers(erf.name):
            for product in draft.consumers(raised.name):
                x = scaled.inputs[0] if scaled.op == "affine" else ""
                fits = raised.op == "affine" and set(product.inputs) == {x, raised.name}
                if (
                    fits
                    and product.op == "mul"
                    and _is(scaled, 0.5**0.5, 0.0)
                    and _is(raised, 1.0, 1.0)
                ):
                    _double(draft, product, x)


def _is(node: Node, scale: float, shift: float) -> bool:
    assert node.weight is not None and node.bias is not None
    ends = ((node.weight, scale), (node.bias, shift))
    return all(bool(((values - number).abs() < 1e-6).all()) for values, number in ends)


def _double(draft: Draft, product: Node, x: str) -> None:
    gelu = replace(product, name=draft.unique(f"{product.name}_gelu"), op="lookup", inputs=(x,))
    gelu.attrs = {"function": "gelu", "slope": 0.0}
    draft.nodes.insert(draft.nodes.index(product), gelu)
    product.op, product.inputs = "affine", (gelu.name,)
    product.weight = torch.full((product.shape[1],), 2.0)
    product.bias = torch.zeros(product.shape[1])


def refuse_parts(draft: Draft) -> None:
    """Raises UnsupportedOpError for a square root or an error function outside what they are good for."""
    for node in draft.nodes:
        if node.op in ("sqrt", "erf"):
            raise UnsupportedOpError(
                {"sqrt": "a square root", "erf": "'Erf' outside a GELU"}[node.op],
                where=node.origin or "model",
                fix="divide by it, or leave it to the postprocess",
            )
