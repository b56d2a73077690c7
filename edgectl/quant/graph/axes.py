"""What moves elements without computing: other shapes, other orders of axes, parts, joints.

All of them are about one axis or another; what the graph has is said about axis 1, its channels, between two
changes of axes. Those cost nothing: simplification cancels them, and a device that keeps channels last reads
the same bytes (:mod:`edgectl.quant.integer.layout`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from edgectl.quant.graph.draft import DraftBuilder, Ref, Value
from edgectl.quant.graph.values import require_ref

_MOST_AXES = 6
"""The kernels that move elements take five; axes of one are none to them."""


def emit_reshape(b: DraftBuilder, x: Ref) -> Ref:
    """The same elements in the same order, in the shape of the result."""
    if not b.shape:
        raise b.refuse("a reshape to a number", "keep feature maps")
    return emit_reshape_to(b, x, b.shape)


def emit_reshape_to(b: DraftBuilder, x: Ref, shape: tuple[int, ...]) -> Ref:
    """As :func:`emit_reshape`, to a shape of the graph."""
    shape = tuple(shape)
    if shape == x.shape:
        return x
    if math.prod(shape) != math.prod(x.shape):
        raise b.refuse("a repetition of a feature map", "let the sum or product repeat it")
    if len(shape) > _MOST_AXES:
        raise b.refuse(f"a reshape to {len(shape)} axes", f"use {_MOST_AXES} at most")
    return b.add("reshape", [x], shape, shape=shape)


def emit_permute(b: DraftBuilder, x: Ref, order: Sequence[int]) -> Ref:
    """Axes in another order; ``order`` of the program's axes."""
    if not x.folded and order[0] % len(order):
        # the one image becomes an axis like any other
        x = replace(emit_reshape_to(b, x, (1, *x.shape)), folded=True)
    return permute_axes(b, x, [*range(x.folded), *(x.axis(o) for o in order)])


def permute_axes(b: DraftBuilder, x: Ref, order: Sequence[int]) -> Ref:
    """As :func:`emit_permute`, of the graph's axes."""
    order = tuple(order)
    if order == tuple(range(len(order))):
        return x
    if order[0] != 0:
        raise b.refuse("a change of axes across the batch", "keep the batch dimension first")
    shape = tuple(x.shape[o] for o in order)
    moved = [axis for axis in order if x.shape[axis] > 1]
    if moved == sorted(moved):
        return emit_reshape_to(b, x, shape)
    return b.add("transpose", [x], shape, order=order)


def on_axis(b: DraftBuilder, x: Ref, axis: int, function: Callable[[Ref], Ref]) -> Ref:
    """``function``, which works on axis 1, on another axis of the graph instead; the rank stays."""
    if axis == 1:
        return function(x)
    if axis == 0:
        raise b.refuse("an operation along the batch", "keep the batch dimension first")
    order = [0, axis, *(a for a in range(1, len(x.shape)) if a != axis)]
    result = function(permute_axes(b, x, order))
    back = [order.index(a) for a in range(len(order))]
    return permute_axes(b, result, back)


def emit_concat(b: DraftBuilder, tensors: Sequence[Value], axis: int) -> Ref:
    """Along one of the program's axes."""
    maps = [require_ref(b, t) for t in tensors]
    if len(maps) == 1:
        return maps[0]
    at = maps[0].axis(axis)
    if at == 0 or len({(m.folded, len(m.shape)) for m in maps}) != 1:
        raise b.refuse("concatenation along the batch", "concatenate channels or positions")
    order = [0, at, *(a for a in range(1, len(b.shape)) if a != at)]
    moved = [permute_axes(b, m, order) for m in maps]
    channels = sum(m.shape[1] for m in moved)
    joined = b.add("concat", moved, (1, channels, *moved[0].shape[2:]))
    return permute_axes(b, joined, [order.index(a) for a in range(len(order))])


def emit_take(b: DraftBuilder, x: Ref, axis: int, index: Sequence[int]) -> Ref:
    """Some elements of one of the graph's axes, in any order."""
    index = tuple(int(i) for i in index)
    if index == tuple(range(x.shape[axis])):
        return x
    if axis == 0 or not index:
        raise b.refuse("a part of the batch", "keep the batch dimension first")
    shape = (*x.shape[:axis], len(index), *x.shape[axis + 1 :])
    if axis == 1 and len(shape) in (2, 4):
        return b.add("select", [x], shape, channels=index)
    return b.add("take", [x], shape, axis=axis, index=index)


def emit_split(b: DraftBuilder, x: Ref, sizes: Sequence[int], axis: int) -> list[Ref]:
    """Consecutive parts along one of the program's axes."""
    ends = torch.tensor(sizes).cumsum(0).tolist()
    at = x.axis(axis)
    pairs = zip(sizes, ends, strict=True)
    return [emit_take(b, x, at, range(end - size, end)) for size, end in pairs]


def emit_slice(b: DraftBuilder, x: Ref, axis: int, start: int, stop: int, step: int) -> Ref:
    """A part of one of the program's axes, with a step."""
    at = x.axis(axis)
    kept = range(*slice(start, stop, step).indices(x.shape[at]))
    if kept.step < 1 or not kept:
        raise b.refuse("a slice that is empty or reversed", "use a positive step")
    return emit_take(b, x, at, kept)


def emit_index(b: DraftBuilder, x: Ref, axis: int, position: int) -> Ref:
    """One element of an axis, without that axis."""
    at = x.axis(axis)
    return emit_reshape(b, emit_take(b, x, at, [position % x.shape[at]]))


def settle_shape(b: DraftBuilder, value: Value, shape: tuple[int, ...]) -> Value:
    """A result in the shape the program gives it; what only repeats is left to its reader."""
    b.describe(shape)
    if not isinstance(value, Ref) or math.prod(value.shape) != math.prod(shape):
        return value
    return replace(emit_reshape(b, value), folded=b.folded)
