"""What each ATen call becomes in the graph, as a table, and what to use instead of the others.

A handler takes a call's arguments by the names of its ATen schema and says what it means in terms of
:mod:`edgectl.quant.graph.semantics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgectl.quant.graph import axes, tokens
from edgectl.quant.graph import semantics as to
from edgectl.quant.graph.draft import DraftBuilder, Ref, Value
from edgectl.quant.graph.values import require_constant, require_ref

ADVICE: dict[str, str] = {
    **dict.fromkeys(
        ("mish", "selu", "celu", "softplus", "log_sigmoid"),
        "use act_layer relu, relu6, leaky_relu, gelu or elu (hard-sigmoid, hard-swish and SiLU also work)",
    ),
    **dict.fromkeys(
        ("group_norm", "instance_norm"),
        "use norm_layer batch norm, which folds into the convolution, or layer norm over one axis",
    ),
    **dict.fromkeys(
        ("upsample_bicubic2d", "pixel_shuffle", "pixel_unshuffle", "grid_sampler"),
        "use nearest or bilinear upsampling followed by a convolution",
    ),
    "einsum": "write it with @, transpose and reshape",
    "index": "take channels by slices or chunks instead of by a list",
    **dict.fromkeys(
        ("pow", "log", "div", "topk", "argmax", "sort"),
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
    return require_ref(b, a["input"] if "input" in a else a["self"])


def _conv(b: DraftBuilder, a: dict[str, Any]) -> Result:
    weight = require_constant(b, a["weight"], "weights of a convolution")
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
    weight = require_constant(b, a["weight"], "weights of a fully connected layer")
    return tokens.emit_linear(b, _source(b, a), weight, a["bias"])


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
    return tokens.emit_mean(b, _source(b, a), a.get("dim") or (), keepdim=a["keepdim"])


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
    size = -(-x.shape[x.axis(axis)] // a["chunks"])
    return _split_evenly(b, x, size, axis)


def _split(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x, axis = _source(b, a), a["dim"]
    sizes = a["split_sizes"] if "split_sizes" in a else a["split_size"]
    if isinstance(sizes, int):
        return _split_evenly(b, x, sizes, axis)
    return list(axes.emit_split(b, x, sizes, axis))


def _split_evenly(b: DraftBuilder, x: Ref, size: int, axis: int) -> Result:
    total = x.shape[x.axis(axis)]
    sizes = [min(size, total - at) for at in range(0, total, size)]
    return list(axes.emit_split(b, x, sizes, axis))


def _slice(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    start, stop = a.get("start") or 0, a.get("end")
    size = x.shape[x.axis(a["dim"])]
    return axes.emit_slice(b, x, a["dim"], start, size if stop is None else stop, a["step"])


def _transpose(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    order = list(range(len(x.shape) - x.folded))
    first, second = a["dim0"], a["dim1"]
    order[first], order[second] = order[second], order[first]
    return axes.emit_permute(b, x, order)


def _conv_transpose(b: DraftBuilder, a: dict[str, Any]) -> Result:
    weight = require_constant(b, a["weight"], "weights of a convolution")
    high, wide = _pair(a["padding"])
    return to.emit_conv_transpose(
        b,
        _source(b, a),
        weight,
        a["bias"],
        stride=_pair(a["stride"]),
        padding=(high, high, wide, wide),
        dilation=_pair(a["dilation"]),
        groups=int(a["groups"]),
    )


def _layer_norm(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    if len(a["normalized_shape"]) != 1:
        raise b.refuse("a layer norm over several axes", "normalize over the last axis")
    return tokens.emit_layer_norm(b, x, len(x.shape) - 1, a["weight"], a["bias"], a["eps"])


def _matmul(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x, y = _source(b, a), a.get("other", a.get("mat2"))
    if isinstance(y, Ref):
        return tokens.emit_matmul(b, x, y)
    weight = require_constant(b, y, "weights of a fully connected layer")
    if weight.ndim != 2:
        raise b.refuse("a product with a batch of matrices", "use a fully connected layer")
    return tokens.emit_linear(b, x, weight.t(), None)


def _attention(b: DraftBuilder, a: dict[str, Any]) -> Result:
    q, k, v = (require_ref(b, a[n]) for n in ("query", "key", "value"))
    if a["attn_mask"] is not None or a["is_causal"]:
        raise b.refuse("attention with a mask", "attend to all positions")
    scale = a.get("scale")
    return tokens.emit_attention(b, q, k, v, q.shape[-1] ** -0.5 if scale is None else scale)


def _sum_over(b: DraftBuilder, a: dict[str, Any]) -> Result:
    return tokens.emit_sum_over(b, _source(b, a), a["dim"], keepdim=a["keepdim"])


def _maximum(b: DraftBuilder, a: dict[str, Any]) -> Result:
    return tokens.emit_maximum(b, _source(b, a), a["dim"], keepdim=a["keepdim"])


def _adaptive_max_pool(b: DraftBuilder, a: dict[str, Any]) -> Result:
    if tuple(_pair(a["output_size"])) != (1, 1):
        raise b.refuse("adaptive pooling to a grid", "pool to 1x1 or use MaxPool2d")
    y = tokens.emit_maximum(b, _source(b, a), (2, 3), keepdim=True)
    return [y, y] if not b.shape else y


def _unbind(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    at = x.axis(a["dim"])
    shape = (*x.shape[:at], *x.shape[at + 1 :])
    return [
        axes.emit_reshape_to(b, axes.emit_take(b, x, at, [i]), shape) for i in range(x.shape[at])
    ]


def _length(b: DraftBuilder, a: dict[str, Any]) -> Result:
    if a["ord"] != 2 or len(a["dim"] or ()) != 1:
        raise b.refuse("a norm other than the length along one axis", "use p=2 over one axis")
    return tokens.emit_length(b, _source(b, a), a["dim"][0], keepdim=a["keepdim"])


def _power(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    if a["exponent"] == 2:
        return to.emit_product(b, x, x)
    raise b.refuse("a power", advice("pow"))


def _function(name: str, slope: str = "") -> Handler:
    """An entry of the table of functions; ``slope`` names the argument that holds it."""

    def handler(b: DraftBuilder, a: dict[str, Any]) -> Result:
        return to.emit_lookup(b, _source(b, a), name, float(a[slope]) if slope else 0.0)

    return handler


def _gelu(b: DraftBuilder, a: dict[str, Any]) -> Result:
    tanh = a["approximate"] == "tanh"
    return to.emit_lookup(b, _source(b, a), "gelu_tanh" if tanh else "gelu")


def _elu(b: DraftBuilder, a: dict[str, Any]) -> Result:
    if (a["alpha"], a["scale"], a["input_scale"]) != (1, 1, 1):
        raise b.refuse("an ELU with other factors than one", "use alpha=1")
    return to.emit_lookup(b, _source(b, a), "elu")


def _prelu(b: DraftBuilder, a: dict[str, Any]) -> Result:
    return to.emit_prelu(b, _source(b, a), require_constant(b, a["weight"], "slopes"))


def _move_axes(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    rank = len(x.shape) - x.folded
    sources, targets = (
        [v % rank for v in ([a[n]] if isinstance(a[n], int) else a[n])]
        for n in ("source", "destination")
    )
    order = [axis for axis in range(rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return axes.emit_permute(b, x, order)


def _shuffle(b: DraftBuilder, a: dict[str, Any]) -> Result:
    x = _source(b, a)
    each = x.shape[1] // a["groups"]
    order = [g * each + c for c in range(each) for g in range(a["groups"])]
    return axes.emit_take(b, x, 1, order)


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
    "clamp_max": _bounds(None, "max"),
    "hardsigmoid": lambda b, a: to.emit_hard_sigmoid(b, _source(b, a)),
    "hardswish": lambda b, a: to.emit_hard_swish(b, _source(b, a)),
    "silu": lambda b, a: to.emit_silu(b, _source(b, a)),
    "sigmoid": lambda b, a: to.emit_sigmoid(b, _source(b, a)),
    "tanh": _function("tanh"),
    "exp": _function("exp"),
    "rsqrt": _function("rsqrt"),
    "leaky_relu": _function("leaky_relu", "negative_slope"),
    "elu": _elu,
    "gelu": _gelu,
    "prelu": _prelu,
    "pow": _power,
    "square": lambda b, a: to.emit_product(b, _source(b, a), _source(b, a)),
    "sqrt": lambda b, a: tokens.emit_root(b, _source(b, a)),
    "linalg_vector_norm": _length,
    "sum": _sum_over,
    "amax": _maximum,
    "adaptive_max_pool2d": _adaptive_max_pool,
    "conv_transpose2d": _conv_transpose,
    "layer_norm": _layer_norm,
    "matmul": _matmul,
    "bmm": _matmul,
    "mm": _matmul,
    "scaled_dot_product_attention": _attention,
    "upsample_bilinear2d": lambda b, a: to.emit_bilinear(
        b, _source(b, a), aligned=a["align_corners"]
    ),
    "select": lambda b, a: axes.emit_index(b, _source(b, a), a["dim"], a["index"]),
    "unbind": _unbind,
    "softmax": lambda b, a: tokens.emit_softmax(b, _source(b, a), a["dim"]),
    "mean": _mean,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "max_pool2d": _pool("max_pool"),
    "avg_pool2d": _pool("avg_pool"),
    "upsample_nearest2d": lambda b, a: to.emit_upsample(b, _source(b, a)),
    "cat": lambda b, a: axes.emit_concat(b, a["tensors"], a["dim"]),
    "concat": lambda b, a: axes.emit_concat(b, a["tensors"], a["dim"]),
    "pad": _pad,
    "constant_pad_nd": _pad,
    "chunk": _chunk,
    "split": _split,
    "split_with_sizes": _split,
    "slice": _slice,
    "permute": lambda b, a: axes.emit_permute(b, _source(b, a), a["dims"]),
    "transpose": _transpose,
    "movedim": _move_axes,
    "channel_shuffle": _shuffle,
    **dict.fromkeys(
        ("flatten", "view", "reshape", "unsqueeze", "squeeze", "unflatten", "_unsafe_view"),
        lambda b, a: axes.emit_reshape(b, _source(b, a)),
    ),
    # calls without an effect at inference; what reads a repeated tensor repeats it
    **dict.fromkeys(
        (
            "expand",
            "expand_as",
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
