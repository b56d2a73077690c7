"""What each operation means in the graph, whatever file format named it.

The readers of ``torch.export`` programs (:mod:`edgectl.quant.graph.aten`) and of ONNX files
(:mod:`edgectl.quant.graph.onnx_ops`) translate their arguments into these calls, so that both give the same
graph. Each appends draft nodes for one operation and returns its result; ``b.shape`` is the result's shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from edgectl.quant.graph.draft import DraftBuilder, Ref, Value

Padding = tuple[int, int, int, int]
"""(top, bottom, left, right)."""
Pair = tuple[int, int]
"""(vertical, horizontal)."""


def require_ref(b: DraftBuilder, value: Value | None) -> Ref:
    """The value as a feature map. Raises UnsupportedOpError for a constant."""
    if not isinstance(value, Ref):
        raise b.refuse("a constant takes the place of a feature map", "compute it from the input")
    return value


def require_constant(b: DraftBuilder, value: Value | None, what: str) -> Tensor:
    """The value as a tensor known now. Raises UnsupportedOpError for a computed one."""
    if not isinstance(value, Tensor):
        raise b.refuse(f"computed {what}", "use parameters")
    return value


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


def emit_linear(b: DraftBuilder, x: Ref, weight: Tensor, bias: Tensor | None) -> Ref:
    """Fully connected, weight (out, in)."""
    if len(x.shape) != 2:
        raise b.refuse(
            "fully connected over feature maps", "flatten to (N, C) first or use a 1x1 convolution"
        )
    bias = torch.zeros(weight.shape[0]) if bias is None else bias.reshape(-1)
    return b.add(
        "linear",
        [x],
        weight=weight.float().clone(),
        bias=bias.float().expand(weight.shape[0]).clone(),
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


def read_channel_constant(b: DraftBuilder, x: Ref, value: Value | float) -> Tensor:
    """A scalar or one number a channel, as (C,)."""
    channels = x.shape[1]
    constant = torch.as_tensor(value, dtype=torch.float32)
    per_channel = (channels, *[1] * (len(x.shape) - 2))
    if constant.numel() == 1 or tuple(constant.shape)[-len(per_channel) :] == per_channel:
        return constant.reshape(-1).expand(channels).clone()
    raise b.refuse("a constant that varies over positions", "use one number a channel")


def emit_sum(b: DraftBuilder, x: Value, y: Value | float, alpha: float = 1.0) -> Ref:
    """``x + alpha * y``, of feature maps or a map and constants."""
    if isinstance(x, Ref) and isinstance(y, Ref):
        _check_broadcast(b, x, y)
        if alpha != 1.0:
            y = b.affine(y, torch.full((y.shape[1],), alpha), torch.zeros(y.shape[1]))
        return b.add("add", [x, y])
    if isinstance(x, Ref):
        shift = alpha * read_channel_constant(b, x, y)
        return b.affine(x, torch.ones(x.shape[1]), shift)
    other = require_ref(b, y if isinstance(y, Ref) else None)
    scale = torch.full((other.shape[1],), alpha)
    return b.affine(other, scale, read_channel_constant(b, other, x))


def emit_product(b: DraftBuilder, x: Value | float, y: Value | float) -> Ref:
    """``x * y``, of feature maps or a map and constants."""
    if isinstance(x, Ref) and isinstance(y, Ref):
        _check_broadcast(b, x, y)
        return b.add("mul", [x, y])
    if not isinstance(x, Ref):
        x, y = y, x
    x = require_ref(b, x if isinstance(x, Ref) else None)
    scale = read_channel_constant(b, x, y)
    return b.affine(x, scale, torch.zeros_like(scale))


def emit_quotient(b: DraftBuilder, x: Ref, y: Value | float) -> Ref:
    """``x / y`` by constants."""
    if isinstance(y, Ref):
        raise b.refuse("a quotient of feature maps", "use a product")
    scale = 1.0 / read_channel_constant(b, x, y)
    return b.affine(x, scale, torch.zeros_like(scale))


def _check_broadcast(b: DraftBuilder, x: Ref, y: Ref) -> None:
    small, large = sorted((x.shape, y.shape), key=math.prod)
    if small != large and small != (*large[:2], *[1] * (len(large) - 2)):
        raise b.refuse(f"shapes {x.shape} and {y.shape} combined", "broadcast over H, W only")


def emit_clamp(b: DraftBuilder, x: Ref, low: float | None, high: float | None) -> Ref:
    """``min(max(x, low), high)``; None is no bound."""
    return b.add(
        "clamp",
        [x],
        x.shape,
        lo=-math.inf if low is None else float(low),
        hi=math.inf if high is None else float(high),
    )


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


def emit_softmax(b: DraftBuilder, x: Ref, axis: int) -> Ref:
    """Over channels."""
    if axis % len(x.shape) != 1:
        raise b.refuse("softmax over positions", "softmax over channels (dim=1)")
    return b.add("softmax", [x])


def emit_mean(b: DraftBuilder, x: Ref, axes: Sequence[int], *, keepdim: bool) -> Ref:
    """Global average over H and W."""
    if len(x.shape) != 4 or sorted(d % 4 for d in axes) != [2, 3]:
        raise b.refuse("a mean over other than H and W", "average over dim=(2, 3)")
    pooled = b.add("mean", [x], (*x.shape[:2], 1, 1))
    return pooled if keepdim else b.add("reshape", [pooled], x.shape[:2], shape=x.shape[:2])


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
        raise b.refuse("average pooling that counts padding", "use count_include_pad=False")
    grown = list(padding)
    for axis in (0, 1):
        reach = (b.shape[2 + axis] - 1) * stride[axis] + kernel[axis]
        grown[2 * axis + 1] += max(0, reach - x.shape[2 + axis] - sum(padding[2 * axis :][:2]))
    if op == "avg_pool" and kernel == x.shape[2:] and not any(grown):
        return b.add("mean", [x])
    return b.add(op, [x], kernel=kernel, stride=stride, padding=tuple(grown))


def emit_upsample(b: DraftBuilder, x: Ref) -> Ref:
    """Nearest neighbor, by an integer factor."""
    factors = {out / size for out, size in zip(b.shape[2:], x.shape[2:], strict=True)}
    factor = factors.pop()
    if factors or factor != int(factor):
        raise b.refuse("upsampling by a fraction", "choose an input size that the strides divide")
    return x if factor == 1 else b.add("upsample", [x], factor=int(factor))


def emit_concat(b: DraftBuilder, tensors: Sequence[Value], axis: int) -> Ref:
    """Along channels."""
    maps = [require_ref(b, t) for t in tensors]
    if axis % len(b.shape) != 1:
        raise b.refuse("concatenation over positions", "concatenate channels (dim=1)")
    return maps[0] if len(maps) == 1 else b.add("concat", maps)


def emit_pad(b: DraftBuilder, x: Ref, padding: Padding, value: float) -> Ref:
    """Constant border."""
    if min(padding) < 0 or len(x.shape) != 4:
        raise b.refuse("padding other than a constant border", "use zero padding over H and W")
    return b.add("pad", [x], padding=padding, value=value) if any(padding) else x


def emit_reshape(b: DraftBuilder, x: Ref) -> Ref:
    """The same elements in the same order."""
    if b.shape == x.shape:
        return x
    if not b.shape or b.shape[0] != 1:
        raise b.refuse("a reshape across the batch", "keep the batch dimension first")
    if len(b.shape) > 4:
        raise b.refuse("a reshape to more than four dimensions", "keep feature maps as NCHW")
    return b.add("reshape", [x], shape=b.shape)


def emit_permute(b: DraftBuilder, x: Ref, order: Sequence[int]) -> Ref:
    """A change of axes that moves no element: only axes of one change places."""
    moved = [axis for axis in order if x.shape[axis] > 1]
    if moved != sorted(moved):
        raise b.refuse(
            "a change of axes",
            "return the NCHW head tensor; the backend lays it out for the device",
        )
    return emit_reshape(b, x)


def emit_select(b: DraftBuilder, x: Ref, channels: Sequence[int]) -> Ref:
    """Some channels of a map, in any order."""
    shape = (x.shape[0], len(channels), *x.shape[2:])
    if list(channels) == list(range(x.shape[1])):
        return x
    return b.add("select", [x], shape, channels=tuple(int(c) for c in channels))


def emit_split(b: DraftBuilder, x: Ref, sizes: Sequence[int], axis: int) -> list[Ref]:
    """Consecutive parts along channels."""
    if axis % len(x.shape) != 1:
        raise b.refuse("a split over positions", "split channels (dim=1)")
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [
        emit_select(b, x, range(end - size, end)) for size, end in zip(sizes, ends, strict=True)
    ]


def emit_slice(b: DraftBuilder, x: Ref, axis: int, start: int, stop: int, step: int) -> Ref:
    """A part of one axis: channels, or rows or columns with a step.

    Rows and columns are picked by a depthwise convolution with a single one, which is exact in integers too.
    """
    axis, size = axis % len(x.shape), x.shape[axis]
    kept = range(*slice(start, stop, step).indices(size))
    if len(kept) == size and kept.step == 1:
        return x
    if axis == 1:
        return emit_select(b, x, kept)
    if axis < 2 or len(x.shape) != 4 or kept.step < 1 or not kept:
        raise b.refuse("a slice over this axis", "slice channels, rows or columns")
    at = axis - 2
    kernel = [1, 1]
    kernel[at] = kept.start + 1
    stride = [1, 1]
    # the last window must still be the last one that fits
    stride[at] = kept.step if len(kept) > 1 else size
    weight = torch.zeros(x.shape[1], 1, *kernel)
    weight[:, 0, -1, -1] = 1.0
    if (size - kernel[at]) // stride[at] + 1 != len(kept):
        raise b.refuse("a slice that ends before the edge", "crop the input instead")
    shape = list(x.shape)
    shape[axis] = len(kept)
    return b.add(
        "conv",
        [x],
        tuple(shape),
        weight=weight,
        bias=torch.zeros(x.shape[1]),
        stride=tuple(stride),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=x.shape[1],
    )
