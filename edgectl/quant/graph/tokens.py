"""Attention and what stands around it: products, softmax, fully connected layers and norms over any axis.

In terms of what the graph has: fully connected is a 1x1 convolution; a layer norm is two of them, with
sums, products and a table of 1/sqrt between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from edgectl.quant.graph.axes import emit_reshape_to, on_axis, permute_axes
from edgectl.quant.graph.draft import DraftBuilder, Ref

_POINT: dict[str, Any] = {
    "stride": (1, 1),
    "padding": (0, 0, 0, 0),
    "dilation": (1, 1),
    "groups": 1,
}


def emit_matmul(b: DraftBuilder, x: Ref, y: Ref) -> Ref:
    """Product of two feature maps over their last two axes."""
    rank = max(len(x.shape), len(y.shape), 3)
    x, y = (emit_reshape_to(b, v, (*[1] * (rank - len(v.shape)), *v.shape)) for v in (x, y))
    if x.shape[:-2] != y.shape[:-2]:
        raise b.refuse("a product of batches of different size", "repeat neither of them")
    return b.add("matmul", [x, y], (*x.shape[:-1], y.shape[-1]))


def emit_linear(b: DraftBuilder, x: Ref, weight: Tensor, bias: Tensor | None) -> Ref:
    """Fully connected over the last axis, weight (out, in)."""
    out = weight.shape[0]
    weight = weight.float().clone()
    bias = torch.zeros(out) if bias is None else bias.reshape(-1).float().expand(out).clone()
    if len(x.shape) == 2:
        return b.add("linear", [x], (1, out), weight, bias)
    return on_axis(b, x, len(x.shape) - 1, lambda y: _point(b, y, weight, bias))


def _point(b: DraftBuilder, x: Ref, weight: Tensor, bias: Tensor) -> Ref:
    """A 1x1 convolution of a tensor of any rank."""
    n, _c, *rest = x.shape
    y = emit_reshape_to(b, x, _map_shape(x.shape))
    y = b.add("conv", [y], (n, len(weight), *y.shape[2:]), weight[:, :, None, None], bias, **_POINT)
    return emit_reshape_to(b, y, (n, len(weight), *rest))


def _map_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    n, c, *rest = shape
    if len(rest) == 2:
        return n, c, rest[0], rest[1]
    return n, c, rest[0] if rest else 1, math.prod(rest[1:])


def emit_softmax(b: DraftBuilder, x: Ref, axis: int) -> Ref:
    """Over one of the program's axes."""
    return on_axis(b, x, x.axis(axis), lambda y: b.add("softmax", [y], y.shape))


def emit_mean(b: DraftBuilder, x: Ref, axes: Sequence[int], *, keepdim: bool) -> Ref:
    """Average over some of the program's axes."""
    reduced = sorted({x.axis(a) for a in axes})
    if not reduced or reduced[0] == 0:
        raise b.refuse("a mean over the batch", "average over dim=(2, 3)")
    y = _mean(b, x, reduced)
    whole = [1 if a in reduced else size for a, size in enumerate(x.shape)]
    kept = [size for a, size in enumerate(x.shape) if a not in reduced]
    return emit_reshape_to(b, y, tuple(whole if keepdim else kept))


def _mean(b: DraftBuilder, x: Ref, reduced: Sequence[int]) -> Ref:
    if len(x.shape) == 4 and list(reduced) == [2, 3]:
        return b.add("mean", [x], (*x.shape[:2], 1, 1))
    if len(reduced) == 1:
        return on_axis(b, x, reduced[0], lambda y: _weighted_sum(b, y, 1.0 / y.shape[1], 0.0))
    rest = [a for a in range(1, len(x.shape)) if a not in reduced]
    y = permute_axes(b, x, [0, *rest, *reduced])
    count = math.prod(x.shape[a] for a in reduced)
    y = emit_reshape_to(b, y, (1, math.prod(x.shape) // count, 1, count))
    return b.add("mean", [y], (*y.shape[:2], 1, 1))


def emit_sum_over(b: DraftBuilder, x: Ref, axes: Sequence[int], *, keepdim: bool) -> Ref:
    """Sum over some of the program's axes."""
    count = math.prod(x.shape[x.axis(a)] for a in axes)
    y = emit_mean(b, x, axes, keepdim=keepdim)
    return b.affine(y, torch.full((y.shape[1],), float(count)), torch.zeros(y.shape[1]))


def emit_maximum(b: DraftBuilder, x: Ref, axes: Sequence[int], *, keepdim: bool) -> Ref:
    """Largest over H and W."""
    if len(x.shape) != 4 or sorted(x.axis(a) for a in axes) != [2, 3]:
        raise b.refuse("a maximum over other than H and W", "take it over dim=(2, 3)")
    shape = (*x.shape[:2], 1, 1)
    size = tuple(x.shape[2:])
    y = b.add("max_pool", [x], shape, kernel=size, stride=size, padding=(0, 0, 0, 0))
    return y if keepdim else emit_reshape_to(b, y, x.shape[:2])


def _weighted_sum(b: DraftBuilder, x: Ref, factor: float, bias: float) -> Ref:
    """``factor`` times the sum over axis 1, plus ``bias``."""
    return _point(b, x, torch.full((1, x.shape[1]), factor), torch.full((1,), bias))


def emit_layer_norm(
    b: DraftBuilder, x: Ref, axis: int, weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> Ref:
    """Over one of the graph's axes: mean zero, variance one, then a scale and a shift."""

    def norm(y: Ref) -> Ref:
        channels = y.shape[1]
        centered = b.add("add", [y, _weighted_sum(b, y, -1.0 / channels, 0.0)], y.shape)
        square = b.add("mul", [centered, centered], y.shape)
        z = b.add("mul", [centered, _inverse_root(b, square, 1.0 / channels, epsilon)], y.shape)
        if weight is None and bias is None:
            return z
        scale = torch.ones(channels) if weight is None else weight
        return b.affine(z, scale, torch.zeros(channels) if bias is None else bias)

    return on_axis(b, x, axis, norm)


def emit_length(b: DraftBuilder, x: Ref, axis: int, *, keepdim: bool) -> Ref:
    """Square root of the sum of squares over one of the program's axes; see :func:`emit_root`."""
    square = b.add("mul", [x, x], x.shape)
    at = x.axis(axis)
    total = on_axis(b, square, at, lambda y: _weighted_sum(b, y, 1.0, 0.0))
    if not keepdim:
        total = emit_reshape_to(b, total, (*x.shape[:at], *x.shape[at + 1 :]))
    return emit_root(b, total)


def emit_root(b: DraftBuilder, x: Ref) -> Ref:
    """A square root, which is good for dividing by it only."""
    return b.add("sqrt", [x], x.shape)


def find_root(b: DraftBuilder, x: Ref) -> Ref | None:
    """What ``x`` is the square root of, or None."""
    node = next((n for n in b.nodes if n.name == x.name), None)
    if node is None or node.op != "sqrt":
        return None
    (source,) = node.inputs
    return Ref(source, x.shape, x.folded)


def emit_root_quotient(b: DraftBuilder, x: Ref, square: Ref) -> Ref:
    """``x`` over the square root of a feature map."""
    root = b.add("lookup", [square], square.shape, function="rsqrt", slope=0.0)
    return b.add("mul", [x, root], x.shape)


def _inverse_root(b: DraftBuilder, square: Ref, factor: float, epsilon: float) -> Ref:
    total = _weighted_sum(b, square, factor, epsilon)
    return b.add("lookup", [total], total.shape, function="rsqrt", slope=0.0)


def emit_attention(b: DraftBuilder, q: Ref, k: Ref, v: Ref, scale: float) -> Ref:
    """``softmax(q @ k.T * scale) @ v`` over the last two axes."""
    order = list(range(len(k.shape)))
    order[-2:] = order[:-3:-1]
    q = b.affine(q, torch.full((q.shape[1],), scale), torch.zeros(q.shape[1]))
    scores = emit_matmul(b, q, permute_axes(b, k, order))
    last = len(scores.shape) - 1
    weights = on_axis(b, scores, last, lambda y: b.add("softmax", [y], y.shape))
    return emit_matmul(b, weights, v)
