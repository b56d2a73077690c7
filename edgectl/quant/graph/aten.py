"""What each ATen call becomes in the graph, as a table, and what to use instead of the others.

Handlers emit nodes of :data:`edgectl.quant.graph.quant_graph.OPS` and the two draft ops
(``affine``, ``clamp``) that :mod:`edgectl.quant.graph.simplify` removes again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from edgectl.quant.graph.draft import DraftBuilder, Ref, Value

_ACTIVATIONS = "use act_layer relu or relu6 (hard-sigmoid, hard-swish and SiLU also work)"

ADVICE: dict[str, str] = {
    **dict.fromkeys(
        ("gelu", "mish", "elu", "selu", "celu", "softplus", "tanh", "leaky_relu", "prelu"),
        _ACTIVATIONS,
    ),
    **dict.fromkeys(
        ("chunk", "split", "split_with_sizes", "slice", "select", "getitem", "unbind"),
        "use two convolutions on the same input instead of splitting channels",
    ),
    **dict.fromkeys(
        ("group_norm", "layer_norm", "instance_norm"),
        "use norm_layer batch norm, which folds into the convolution",
    ),
    **dict.fromkeys(
        ("upsample_bilinear2d", "upsample_bicubic2d", "conv_transpose2d", "pixel_shuffle"),
        "use nearest-neighbor upsampling by an integer factor followed by a convolution",
    ),
    **dict.fromkeys(
        ("permute", "transpose", "movedim"),
        "return the NCHW head tensor; the backend lays it out for the device",
    ),
    **dict.fromkeys(
        ("matmul", "bmm", "scaled_dot_product_attention", "einsum"),
        "use a variant without attention",
    ),
    **dict.fromkeys(
        ("exp", "pow", "sqrt", "log"),
        "move it to the postprocess: raw heads are exported, decoding runs on the host",
    ),
}


def advice(op: str) -> str:
    """The remedy for an op outside :data:`HANDLERS`."""
    supported = ", ".join(sorted(HANDLERS))
    return ADVICE.get(op, f"rewrite the module with supported calls: {supported}")


Handler = Callable[[DraftBuilder, dict[str, Any]], Value]


def _pair(value: Sequence[int] | int) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def _ref(b: DraftBuilder, value: Any) -> Ref:
    if not isinstance(value, Ref):
        raise b.refuse("a constant takes the place of a feature map", "compute it from the input")
    return value


def _conv(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x, weight = _ref(b, a["input"]), a["weight"]
    if not isinstance(weight, Tensor):
        raise b.refuse("convolution with computed weights", "use a convolution with parameters")
    stride, dilation = _pair(a["stride"]), _pair(a["dilation"])
    if a["padding"] == "same":
        # As torch does it: an odd remainder goes to the bottom and right.
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        top, left = total[0] // 2, total[1] // 2
        padding = (top, total[0] - top, left, total[1] - left)
    else:
        high, wide = (0, 0) if a["padding"] == "valid" else _pair(a["padding"])
        padding = (high, high, wide, wide)
    bias = torch.zeros(weight.shape[0]) if a["bias"] is None else a["bias"]
    return b.add(
        "conv",
        [x],
        weight=weight.clone(),
        bias=bias.clone(),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=int(a["groups"]),
    )


def _linear(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x, weight = _ref(b, a["input"]), a["weight"]
    if len(x.shape) != 2 or not isinstance(weight, Tensor):
        raise b.refuse(
            "fully connected over feature maps", "flatten to (N, C) first or use a 1x1 convolution"
        )
    bias = torch.zeros(weight.shape[0]) if a["bias"] is None else a["bias"]
    return b.add("linear", [x], weight=weight.clone(), bias=bias.clone())


def _batch_norm(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["input"])
    if a["running_mean"] is None:
        raise b.refuse("batch norm without running statistics", "use track_running_stats=True")
    # Folding in float64 keeps the rounding of the product out of the weights.
    scale = (a["running_var"].double() + a["eps"]).rsqrt()
    if a["weight"] is not None:
        scale = scale * a["weight"].double()
    shift = -a["running_mean"].double() * scale
    if a["bias"] is not None:
        shift = shift + a["bias"].double()
    return b.affine(x, scale, shift)


def _channel_constant(b: DraftBuilder, x: Ref, value: Any) -> Tensor:
    """A scalar or one number a channel, as (C,)."""
    channels = x.shape[1]
    constant = torch.as_tensor(value, dtype=torch.float32)
    per_channel = (channels, *[1] * (len(x.shape) - 2))
    if constant.numel() == 1 or tuple(constant.shape)[-len(per_channel) :] == per_channel:
        return constant.reshape(-1).expand(channels).clone()
    raise b.refuse("a constant that varies over positions", "use one number a channel")


def _check_broadcast(b: DraftBuilder, x: Ref, y: Ref) -> None:
    small, large = sorted((x.shape, y.shape), key=math.prod)
    if small != large and small != (*large[:2], *[1] * (len(large) - 2)):
        raise b.refuse(f"shapes {x.shape} and {y.shape} combined", "broadcast over H, W only")


def _sum(sign: int) -> Handler:
    def handler(b: DraftBuilder, a: dict[str, Any]) -> Value:
        x, y = a["self"], a["other"]
        if isinstance(x, Ref) and isinstance(y, Ref):
            if sign * a["alpha"] != 1:
                raise b.refuse("a weighted sum of feature maps", "use a plain sum")
            _check_broadcast(b, x, y)
            return b.add("add", [x, y])
        factor = torch.tensor(1.0)
        if not isinstance(x, Ref):
            x, y, factor = y, x, torch.tensor(float(sign * a["alpha"]))
            shift = _channel_constant(b, x, y)
        else:
            shift = sign * a["alpha"] * _channel_constant(b, x, y)
        return b.affine(x, factor.expand(x.shape[1]).clone(), shift)

    return handler


def _rsub(b: DraftBuilder, a: dict[str, Any]) -> Value:
    return _sum(-1)(b, {**a, "self": a["other"], "other": a["self"]})


def _mul(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x, y = a["self"], a["other"]
    if isinstance(x, Ref) and isinstance(y, Ref):
        _check_broadcast(b, x, y)
        return b.add("mul", [x, y])
    if not isinstance(x, Ref):
        x, y = y, x
    scale = _channel_constant(b, x, y)
    return b.affine(x, scale, torch.zeros_like(scale))


def _div(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x, y = _ref(b, a["self"]), a["other"]
    if isinstance(y, Ref):
        raise b.refuse("a quotient of feature maps", "use a product")
    scale = 1.0 / _channel_constant(b, x, y)
    return b.affine(x, scale, torch.zeros_like(scale))


def _clamp(b: DraftBuilder, x: Ref, lo: float | None, hi: float | None) -> Ref:
    return b.add(
        "clamp",
        [x],
        x.shape,
        lo=-math.inf if lo is None else float(lo),
        hi=math.inf if hi is None else float(hi),
    )


def _hard_sigmoid(b: DraftBuilder, x: Ref) -> Ref:
    """relu6(x + 3) / 6 == clamp(x / 6 + 1/2, 0, 1)."""
    scale = torch.full((x.shape[1],), 1.0 / 6.0)
    return _clamp(b, b.affine(x, scale, torch.full_like(scale, 0.5)), 0.0, 1.0)


def _hardswish(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["self"])
    return b.add("mul", [x, _hard_sigmoid(b, x)])


def _silu(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["self"])
    return b.add("mul", [x, b.add("sigmoid", [x])])


def _softmax(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["self"])
    if a["dim"] % len(x.shape) != 1:
        raise b.refuse("softmax over positions", "softmax over channels (dim=1)")
    return b.add("softmax", [x])


def _mean(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["self"])
    if len(x.shape) != 4 or sorted(d % 4 for d in a.get("dim") or ()) != [2, 3]:
        raise b.refuse("a mean over other than H and W", "average over dim=(2, 3)")
    pooled = b.add("mean", [x], (*x.shape[:2], 1, 1))
    return pooled if a["keepdim"] else b.add("reshape", [pooled], x.shape[:2], shape=x.shape[:2])


def _adaptive_avg_pool(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["self"])
    if tuple(b.shape[2:]) != (1, 1):
        raise b.refuse("adaptive pooling to a grid", "pool to 1x1 or use AvgPool2d")
    return b.add("mean", [x])


def _pool(op: str) -> Handler:
    def handler(b: DraftBuilder, a: dict[str, Any]) -> Value:
        x = _ref(b, a["self"])
        high, wide = _pair(a["padding"])
        if a["ceil_mode"]:
            raise b.refuse("pooling with ceil_mode", "use ceil_mode=False")
        if _pair(a.get("dilation", 1)) != (1, 1):
            raise b.refuse("dilated pooling", "use dilation 1")
        if (high or wide) and a.get("count_include_pad", False):
            raise b.refuse("average pooling that counts padding", "use count_include_pad=False")
        if a.get("divisor_override") is not None:
            raise b.refuse("average pooling with divisor_override", "leave the divisor alone")
        kernel = _pair(a["kernel_size"])
        stride = _pair(a["stride"]) if a["stride"] else kernel
        return b.add(op, [x], kernel=kernel, stride=stride, padding=(high, high, wide, wide))

    return handler


def _upsample(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["input"] if "input" in a else a["self"])
    factors = {out / size for out, size in zip(b.shape[2:], x.shape[2:], strict=True)}
    factor = factors.pop()
    if factors or factor != int(factor):
        raise b.refuse("upsampling by a fraction", "choose an input size that the strides divide")
    return b.add("upsample", [x], factor=int(factor))


def _concat(b: DraftBuilder, a: dict[str, Any]) -> Value:
    inputs = [_ref(b, t) for t in a["tensors"]]
    if a["dim"] % len(b.shape) != 1:
        raise b.refuse("concatenation over positions", "concatenate channels (dim=1)")
    return b.add("concat", inputs)


def _pad(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["self"])
    widths = [*a["pad"], 0, 0, 0, 0][: max(4, len(a["pad"]))]
    if a.get("mode", "constant") != "constant" or any(widths[4:]) or min(widths) < 0:
        raise b.refuse("padding other than a constant border", "use zero padding over H and W")
    left, right, top, bottom = widths[:4]
    return b.add("pad", [x], padding=(top, bottom, left, right), value=float(a["value"] or 0.0))


def _reshape(b: DraftBuilder, a: dict[str, Any]) -> Value:
    x = _ref(b, a["self"])
    if b.shape == x.shape:
        return x
    if b.shape[0] != 1:
        raise b.refuse("a reshape across the batch", "keep the batch dimension first")
    return b.add("reshape", [x], shape=b.shape)


def _same(b: DraftBuilder, a: dict[str, Any]) -> Value:
    """Calls without an effect at inference."""
    return _ref(b, a["input"] if "input" in a else a["self"])


def _bounds(lo: str | float | None, hi: str | float | None) -> Handler:
    """clamp to the bounds given, a string naming the argument that holds one."""

    def handler(b: DraftBuilder, a: dict[str, Any]) -> Value:
        low, high = (a[v] if isinstance(v, str) else v for v in (lo, hi))
        return _clamp(b, _ref(b, a["self"]), low, high)

    return handler


HANDLERS: dict[str, Handler] = {
    "conv2d": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "add": _sum(1),
    "sub": _sum(-1),
    "rsub": _rsub,
    "mul": _mul,
    "div": _div,
    "relu": _bounds(0.0, None),
    "relu6": _bounds(0.0, 6.0),
    "hardtanh": _bounds("min_val", "max_val"),
    "clamp": _bounds("min", "max"),
    "clamp_min": _bounds("min", None),
    "hardsigmoid": lambda b, a: _hard_sigmoid(b, _ref(b, a["self"])),
    "hardswish": _hardswish,
    "silu": _silu,
    "sigmoid": lambda b, a: b.add("sigmoid", [_ref(b, a["self"])]),
    "softmax": _softmax,
    "mean": _mean,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "max_pool2d": _pool("max_pool"),
    "avg_pool2d": _pool("avg_pool"),
    "upsample_nearest2d": _upsample,
    "cat": _concat,
    "concat": _concat,
    "pad": _pad,
    "constant_pad_nd": _pad,
    "flatten": _reshape,
    "view": _reshape,
    "reshape": _reshape,
    "unsqueeze": _reshape,
    "squeeze": _reshape,
    **dict.fromkeys(
        (
            "dropout",
            "feature_dropout",
            "contiguous",
            "clone",
            "detach",
            "alias",
            "lift_fresh_copy",
            "_to_copy",
            "to",
        ),
        _same,
    ),
}
