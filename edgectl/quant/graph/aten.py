"""What each ATen call becomes in the graph, as a table, and what to use instead of the others.

A handler takes a call's arguments by the names of its ATen schema and says what it means in terms of
:mod:`edgectl.quant.graph.semantics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgectl.quant.graph import semantics as to
from edgectl.quant.graph.draft import DraftBuilder, Ref, Value

_ACTIVATIONS = "use act_layer relu or relu6 (hard-sigmoid, hard-swish and SiLU also work)"

ADVICE: dict[str, str] = {
    **dict.fromkeys(
        ("gelu", "mish", "elu", "selu", "celu", "softplus", "tanh", "leaky_relu", "prelu"),
        _ACTIVATIONS,
    ),
    **dict.fromkeys(
        ("select", "unbind", "index"),
        "take channels by slices or chunks instead of one by one",
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
        ("movedim", "swapaxes", "t"),
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


Result = Value | list[Value]
Handler = Callable[[DraftBuilder, dict[str, Any]], Result]


def _pair(value: Sequence[int] | int) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def _source(b: DraftBuilder, a: dict[str, Any]) -> Ref:
    """The feature map a call works on."""
    return to.require_ref(b, a["input"] if "input" in a else a["self"])


def _conv(b: DraftBuilder, a: dict[str, Any]) -> Result:
    weight = to.require_constant(b, a["weight"], "weights of a convolution")
    stride, dilation = _pair(a["stride"]), _pair(a["dilation"])
    if a["padding"] == "same":
        # As torch does it: an odd remainder goes to the bottom and right.
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        top, left = total[0] // 2, total[1] // 2
        padding = (top, total[0] - top, left, total[1] - left)
    else:
        high, wide = (0, 0) if a["padding"] == "valid" else _pair(a["padding"])
        padding = (high, high, wide, wide)
    return to.emit_conv(
        b,
        _source(b, a),
        weight,
        a["bias"],
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=int(a["groups"]),
    )


def _linear(b: DraftBuilder, a: dict[str, Any]) -> Result:
    weight = to.require_constant(b, a["weight"], "weights of a fully connected layer")
    return to.emit_linear(b, _source(b, a), weight, a["bias"])


def _batch_norm(b: DraftBuilder, a: dict[str, Any]) -> Result:
    if a["running_mean"] is None:
        raise b.refuse("batch norm without running statistics", "use track_running_stats=True")
    return to.emit_batch_norm(
        b, _source(b, a), a["running_mean"], a["running_var"], a["weight"], a["bias"], a["eps"]
    )


def _sum(sign: int) -> Handler:
    def handler(b: DraftBuilder, a: dict[str, Any]) -> Result:
        return to.emit_sum(b, a["self"], a["other"], float(sign * a["alpha"]))

    return handler


def _rsub(b: DraftBuilder, a: dict[str, Any]) -> Result:
    return _sum(-1)(b, {**a, "self": a["other"], "other": a["self"]})


def _mean(b: DraftBuilder, a: dict[str, Any]) -> Result:
    return to.emit_mean(b, _source(b, a), a.get("dim") or (), keepdim=a["keepdim"])


def _adaptive_avg_pool(b: DraftBuilder, a: dict[str, Any]) -> Result:
    if tuple(b.shape[2:]) != (1, 1):
        raise b.refuse("adaptive pooling to a grid", "pool to 1x1 or use AvgPool2d")
    return b.add("mean", [_source(b, a)])


def _pool(op: str) -> Handler:
    def handler(b: DraftBuilder, a: dict[str, Any]) -> Result:
        high, wide = _pair(a["padding"])
        if _pair(a.get("dilation", 1)) != (1, 1):
            raise b.refuse("dilated pooling", "use dilation 1")
        if a.get("divisor_override") is not None:
            raise b.refuse("average pooling with divisor_override", "leave the divisor alone")
        kernel = _pair(a["kernel_size"])
        return to.emit_pool(
            b,
            op,
            _source(b, a),
            kernel=kernel,
            stride=_pair(a["stride"]) if a["stride"] else kernel,
            padding=(high, high, wide, wide),
            count_padding=bool(a.get("count_include_pad", False)),
        )

    return handler


def _pad(b: DraftBuilder, a: dict[str, Any]) -> Result:
    widths = [*a["pad"], 0, 0, 0, 0][: max(4, len(a["pad"]))]
    if a.get("mode", "constant") != "constant" or any(widths[4:]):
        raise b.refuse("padding other than a constant border", "use zero padding over H and W")
    left, right, top, bottom = widths[:4]
    return to.emit_pad(b, _source(b, a), (top, bottom, left, right), float(a["value"] or 0.0))


def _chunk(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x, axis = _source(b, a), a["dim"]
    size = -(-x.shape[axis] // a["chunks"])
    return _split_evenly(b, x, size, axis)


def _split(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x, axis = _source(b, a), a["dim"]
    sizes = a["split_sizes"] if "split_sizes" in a else a["split_size"]
    if isinstance(sizes, int):
        return _split_evenly(b, x, sizes, axis)
    return list(to.emit_split(b, x, sizes, axis))


def _split_evenly(b: DraftBuilder, x: Ref, size: int, axis: int) -> Result:
    total = x.shape[axis]
    sizes = [min(size, total - at) for at in range(0, total, size)]
    return list(to.emit_split(b, x, sizes, axis))


def _slice(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    start, stop = a.get("start") or 0, a.get("end")
    size = x.shape[a["dim"]]
    return to.emit_slice(b, x, a["dim"], start, size if stop is None else stop, a["step"])


def _transpose(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    order = list(range(len(x.shape)))
    first, second = a["dim0"], a["dim1"]
    order[first], order[second] = order[second], order[first]
    return to.emit_permute(b, x, order)


def _bounds(low: str | float | None, high: str | float | None) -> Handler:
    """clamp to the bounds given, a string naming the argument that holds one."""

    def handler(b: DraftBuilder, a: dict[str, Any]) -> Result:
        lo, hi = (a[v] if isinstance(v, str) else v for v in (low, high))
        return to.emit_clamp(b, _source(b, a), lo, hi)

    return handler


HANDLERS: dict[str, Handler] = {
    "conv2d": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "add": _sum(1),
    "sub": _sum(-1),
    "rsub": _rsub,
    "mul": lambda b, a: to.emit_product(b, a["self"], a["other"]),
    "div": lambda b, a: to.emit_quotient(b, _source(b, a), a["other"]),
    "neg": lambda b, a: to.emit_product(b, _source(b, a), -1.0),
    "relu": _bounds(0.0, None),
    "relu6": _bounds(0.0, 6.0),
    "hardtanh": _bounds("min_val", "max_val"),
    "clamp": _bounds("min", "max"),
    "clamp_min": _bounds("min", None),
    "hardsigmoid": lambda b, a: to.emit_hard_sigmoid(b, _source(b, a)),
    "hardswish": lambda b, a: to.emit_hard_swish(b, _source(b, a)),
    "silu": lambda b, a: to.emit_silu(b, _source(b, a)),
    "sigmoid": lambda b, a: to.emit_sigmoid(b, _source(b, a)),
    "softmax": lambda b, a: to.emit_softmax(b, _source(b, a), a["dim"]),
    "mean": _mean,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "max_pool2d": _pool("max_pool"),
    "avg_pool2d": _pool("avg_pool"),
    "upsample_nearest2d": lambda b, a: to.emit_upsample(b, _source(b, a)),
    "cat": lambda b, a: to.emit_concat(b, a["tensors"], a["dim"]),
    "concat": lambda b, a: to.emit_concat(b, a["tensors"], a["dim"]),
    "pad": _pad,
    "constant_pad_nd": _pad,
    "chunk": _chunk,
    "split": _split,
    "split_with_sizes": _split,
    "slice": _slice,
    "permute": lambda b, a: to.emit_permute(b, _source(b, a), a["dims"]),
    "transpose": _transpose,
    **dict.fromkeys(
        ("flatten", "view", "reshape", "unsqueeze", "squeeze"),
        lambda b, a: to.emit_reshape(b, _source(b, a)),
    ),
    # calls without an effect at inference
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
        _source,
    ),
}
