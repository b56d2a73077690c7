"""What each operation means in the graph, whatever file format named it.

The readers of ``torch.export`` programs (:mod:`edgectl.quant.graph.aten`) and of ONNX files
(:mod:`edgectl.quant.graph.onnx_ops`) translate their arguments into these calls, so that both give the same
graph. Each appends draft nodes for one operation and returns its result; ``b.shape`` is the result's shape.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from edgectl.quant.graph.axes import emit_reshape_to, on_axis
from edgectl.quant.graph.draft import DraftBuilder, Ref, Value
from edgectl.quant.graph.tokens import emit_root, emit_root_quotient, find_root
from edgectl.quant.graph.values import require_ref

Padding = tuple[int, int, int, int]
"""(top, bottom, left, right)."""
Pair = tuple[int, int]
"""(vertical, horizontal)."""


def emit_conv(
    b: DraftBuilder,
    x: Ref,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
) -> Ref:
    """2-D convolution, weight (out, in / groups, kh, kw)."""
    if weight.ndim != 4 or len(x.shape) != 4:
        raise b.refuse("a convolution over other than two dimensions", "use Conv2d")
    return b.add(
        "conv",
        [x],
        weight=weight.float().clone(),
        bias=torch.zeros(weight.shape[0]) if bias is None else bias.float().clone(),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


def emit_batch_norm(
    b: DraftBuilder,
    x: Ref,
    mean: Tensor,
    variance: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    epsilon: float,
) -> Ref:
    """Folded in float64, which keeps the rounding of the product out of the weights."""
    scale = (variance.double() + epsilon).rsqrt()
    if weight is not None:
        scale = scale * weight.double()
    shift = -mean.double() * scale
    if bias is not None:
        shift = shift + bias.double()
    return b.affine(x, scale, shift)


def read_channel_constant(
    b: DraftBuilder, x: Ref, value: Value | float
) -> tuple[int, Tensor] | None:
    """A scalar or numbers along one axis, as (axis, (its length,)); None where they vary over more."""
    constant = torch.as_tensor(value, dtype=torch.float32)
    if constant.numel() == 1:
        return 1, constant.reshape(-1).expand(x.shape[1]).clone()
    shape = (*[1] * (len(x.shape) - constant.ndim), *constant.shape)
    long = [axis for axis, size in enumerate(shape) if size > 1]
    if len(shape) != len(x.shape) or len(long) != 1 or shape[long[0]] != x.shape[long[0]]:
        return None
    return long[0], constant.reshape(-1).clone()


def _affine(b: DraftBuilder, x: Ref, scale: float, shift: float, by: Value | float) -> Ref:
    """``x * (scale or by) + (by or shift)``: NaN marks the place of the constant."""
    found = read_channel_constant(b, x, by)
    if found is None:
        y = _positions(b, x, torch.as_tensor(by, dtype=torch.float32))
        if math.isnan(scale):
            return b.add("mul", [x, y], x.shape)
        return b.add("add", [emit_product(b, x, scale) if scale != 1.0 else x, y], x.shape)
    axis, constant = found
    scales = constant if math.isnan(scale) else torch.full_like(constant, scale)
    shifts = constant if math.isnan(shift) else torch.full_like(constant, shift)
    return on_axis(b, x, axis, lambda y: b.affine(y, scales, shifts))


def _positions(b: DraftBuilder, x: Ref, value: Tensor) -> Ref:
    """A constant that varies over positions, with as many axes as ``x``."""
    shape = (*[1] * (len(x.shape) - value.ndim), *value.shape)
    if len(shape) != len(x.shape) or any(
        a not in (1, c) for a, c in zip(shape, x.shape, strict=True)
    ):
        raise b.refuse("a constant larger than the feature map", "broadcast it first")
    return b.add("constant", [], shape, value=value.reshape(shape).clone())


def emit_sum(b: DraftBuilder, x: Value, y: Value | float, alpha: float = 1.0) -> Ref:
    """``x + alpha * y``, of feature maps or a map and constants."""
    if isinstance(x, Ref) and isinstance(y, Ref):
        x, y = _check_broadcast(b, x, y)
        if alpha != 1.0:
            y = b.affine(y, torch.full((y.shape[1],), alpha), torch.zeros(y.shape[1]))
        return b.add("add", [x, y])
    if isinstance(x, Ref):
        return _affine(b, x, 1.0, math.nan, alpha * torch.as_tensor(y, dtype=torch.float32))
    other = require_ref(b, y if isinstance(y, Ref) else None)
    return _affine(b, other, alpha, math.nan, x)


def emit_product(b: DraftBuilder, x: Value | float, y: Value | float) -> Ref:
    """``x * y``, of feature maps or a map and constants."""
    if isinstance(x, Ref) and isinstance(y, Ref):
        return b.add("mul", list(_check_broadcast(b, x, y)))
    if not isinstance(x, Ref):
        x, y = y, x
    x = require_ref(b, x if isinstance(x, Ref) else None)
    return _affine(b, x, math.nan, 0.0, y)


def emit_quotient(b: DraftBuilder, x: Ref, y: Value | float) -> Ref:
    """``x / y`` by constants."""
    if isinstance(y, Ref):
        square = find_root(b, y)
        if square is None:
            raise b.refuse("a quotient of feature maps", "use a product")
        return emit_root_quotient(b, *_check_broadcast(b, x, square))
    return emit_product(b, x, 1.0 / torch.as_tensor(y, dtype=torch.float32))


def _check_broadcast(b: DraftBuilder, x: Ref, y: Ref) -> tuple[Ref, Ref]:
    """Both with as many axes; one of them has the result's shape."""
    rank = len(b.shape)
    x, y = (emit_reshape_to(b, v, (*[1] * (rank - len(v.shape)), *v.shape)) for v in (x, y))
    if tuple(b.shape) not in (x.shape, y.shape):
        raise b.refuse(f"shapes {x.shape} and {y.shape} combined", "repeat one of them only")
    return x, y


def emit_clamp(b: DraftBuilder, x: Ref, low: float | None, high: float | None) -> Ref:
    """``min(max(x, low), high)``; None is no bound."""
    square = find_root(b, x)
    if square is not None and low is not None and high is None:
        # max(root(x), low) and root(x + low ** 2) differ where nothing is left of either
        zeros = torch.full((x.shape[1],), low**2)
        return emit_root(b, b.affine(square, torch.ones_like(zeros), zeros))
    lo, hi = (-math.inf if low is None else float(low), math.inf if high is None else float(high))
    if not lo < hi:
        raise b.refuse(f"a clamp to [{lo:g}, {hi:g}]", "use bounds in order")
    if (lo, hi) == (-math.inf, math.inf):
        return x
    if lo == 0.0 and hi in (1.0, 6.0, math.inf):
        return b.add("clamp", [x], x.shape, lo=lo, hi=hi)
    # the activations there are, of a shifted and scaled tensor
    if math.isinf(lo):
        return _between(b, x, -1.0, hi, math.inf)
    return (
        _between(b, x, 1.0, -lo, math.inf) if math.isinf(hi) else _between(b, x, 1.0, -lo, hi - lo)
    )


def _between(b: DraftBuilder, x: Ref, sign: float, shift: float, width: float) -> Ref:
    """The inverse of ``y = (sign * x + shift) / width``, of ``y`` clamped to [0, 1]; an infinite width
    divides by nothing and bounds nothing above."""
    divisor = 1.0 if math.isinf(width) else width
    ones = torch.ones(x.shape[1])
    y = b.affine(x, ones * (sign / divisor), ones * (shift / divisor))
    y = b.add("clamp", [y], x.shape, lo=0.0, hi=1.0 if divisor == width else math.inf)
    return b.affine(y, ones * (sign * divisor), ones * (-sign * shift))


def emit_hard_sigmoid(
    b: DraftBuilder, x: Ref, slope: float = 1.0 / 6.0, offset: float = 0.5
) -> Ref:
    """``clamp(slope * x + offset, 0, 1)``; torch's is ``relu6(x + 3) / 6``."""
    scale = torch.full((x.shape[1],), slope)
    return emit_clamp(b, b.affine(x, scale, torch.full_like(scale, offset)), 0.0, 1.0)


def emit_hard_swish(b: DraftBuilder, x: Ref) -> Ref:
    """``x * hard_sigmoid(x)``."""
    return b.add("mul", [x, emit_hard_sigmoid(b, x)])


def emit_sigmoid(b: DraftBuilder, x: Ref) -> Ref:
    """Logistic function."""
    return b.add("sigmoid", [x])


def emit_silu(b: DraftBuilder, x: Ref) -> Ref:
    """``x * sigmoid(x)``."""
    return b.add("mul", [x, b.add("sigmoid", [x])])


def emit_pool(
    b: DraftBuilder,
    op: str,
    x: Ref,
    *,
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    count_padding: bool = False,
) -> Ref:
    """``max_pool`` or ``avg_pool``.

    Where the result is larger than ``padding`` explains (``ceil_mode``), the windows that start inside reach
    over the bottom or right edge; that is padding too. Windows of an average then count less than a whole
    kernel, as in :func:`torch.nn.functional.avg_pool2d`.
    """
    if len(x.shape) != 4:
        raise b.refuse("pooling over other than two dimensions", "use a 2-D pooling layer")
    if op == "avg_pool" and any(padding) and count_padding:
        top, bottom, left, right = padding
        n, c, h, w = x.shape
        x = b.add(
            "pad", [x], (n, c, h + top + bottom, w + left + right), padding=padding, value=0.0
        )
        padding = (0, 0, 0, 0)
    grown = list(padding)
    for axis in (0, 1):
        reach = (b.shape[2 + axis] - 1) * stride[axis] + kernel[axis]
        grown[2 * axis + 1] += max(0, reach - x.shape[2 + axis] - sum(padding[2 * axis :][:2]))
    if op == "avg_pool" and kernel == x.shape[2:] and not any(grown):
        return b.add("mean", [x])
    return b.add(op, [x], kernel=kernel, stride=stride, padding=tuple(grown))


def emit_upsample(b: DraftBuilder, x: Ref) -> Ref:
    """Nearest neighbor, to the size of the result."""
    if b.shape == x.shape:
        return x
    factors = {out / size for out, size in zip(b.shape[2:], x.shape[2:], strict=True)}
    if len(factors) == 1 and (factor := factors.pop()) == int(factor):
        return b.add("upsample", [x], factor=int(factor))
    return b.add("resize", [x], size=tuple(b.shape[2:]), mode="nearest", aligned=False)


def emit_bilinear(b: DraftBuilder, x: Ref, *, aligned: bool) -> Ref:
    """To the size of the result; ``aligned``: the corners are the same points."""
    if b.shape == x.shape:
        return x
    if len(x.shape) != 4:
        raise b.refuse("resizing other than over two dimensions", "resize feature maps")
    return b.add("resize", [x], size=tuple(b.shape[2:]), mode="bilinear", aligned=aligned)


def emit_lookup(b: DraftBuilder, x: Ref, function: str, slope: float = 0.0) -> Ref:
    """A function of each element; see :mod:`~edgectl.quant.graph.functions`."""
    return b.add("lookup", [x], x.shape, function=function, slope=slope)


def emit_prelu(b: DraftBuilder, x: Ref, slopes: Tensor) -> Ref:
    """``x`` where it is positive, else ``slope * x``, with one slope or one a channel."""
    values = slopes.float().reshape(-1)
    if len(values) == 1:
        return emit_lookup(b, x, "leaky_relu", float(values))
    if len(values) != x.shape[1]:
        raise b.refuse("slopes that vary over positions", "use one slope a channel")
    return b.add("prelu", [x], x.shape, slopes=tuple(values.tolist()))


def emit_conv_transpose(
    b: DraftBuilder,
    x: Ref,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
) -> Ref:
    """2-D transposed convolution, weight (in, out / groups, kh, kw)."""
    if weight.ndim != 4 or len(x.shape) != 4 or groups != 1 or dilation != (1, 1):
        raise b.refuse("a grouped or dilated transposed convolution", "use groups=1, dilation=1")
    whole = [(x.shape[2 + i] - 1) * stride[i] + weight.shape[2 + i] for i in (0, 1)]
    # output_padding gives back what padding cut off below and to the right
    cut = [whole[i] - padding[2 * i] - b.shape[2 + i] for i in (0, 1)]
    if min(cut) < 0:
        raise b.refuse("output_padding beyond the kernel", "use output_padding <= padding")
    return b.add(
        "conv_transpose",
        [x],
        weight=weight.float().transpose(0, 1).contiguous(),
        bias=torch.zeros(weight.shape[1]) if bias is None else bias.float().clone(),
        stride=stride,
        padding=(padding[0], cut[0], padding[2], cut[1]),
    )


def emit_pad(b: DraftBuilder, x: Ref, padding: Padding, value: float) -> Ref:
    """Constant border."""
    if min(padding) < 0 or len(x.shape) != 4:
        raise b.refuse("padding other than a constant border", "use zero padding over H and W")
    return b.add("pad", [x], padding=padding, value=value) if any(padding) else x
