"""What each op of the graph becomes on the device, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgectl.quant.graph.quant_graph import Node
from edgectl.quant.integer.layout import (
    device_shape,
    last_axis_layout,
    permuted_layout,
    reshaped_layout,
)
from edgectl.quant.integer.lower import Emitter, Lowering, Placed

_MOST_JOINED = 10
"""Inputs of a CONCATENATION on a microcontroller."""


def _weighted(w: Lowering, node: Node, label: str, order: Sequence[int]) -> list[int]:
    """Weight and bias tensors. ``order`` permutes the weight, whose axis 0 has the scales."""
    weight, weight_scales = w.numbers.weight(node)
    bias, bias_scales = w.numbers.bias(node)
    data = weight.transpose(order)
    zeros = [0] * len(weight_scales)
    return [
        w.builder.tensor(
            f"{label}_weight",
            data.shape,
            w.numbers.dtype,
            scales=weight_scales,
            zero_points=zeros,
            channel_axis=list(order).index(0),
            data=data,
        ),
        w.builder.tensor(
            f"{label}_bias",
            bias.shape,
            bias.dtype.name,
            scales=bias_scales,
            zero_points=zeros,
            data=bias,
        ),
    ]


def _conv(w: Lowering, node: Node, label: str) -> None:
    assert node.weight is not None
    dilation, stride = node.attrs["dilation"], node.attrs["stride"]
    source, padding = w.windowed(node, 0.0)
    fields: dict[str, Any] = {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "fusedActivationFunction": w.clamp(node),
    }
    if node.depthwise:
        op, options, order = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (1, 2, 3, 0)
        fields["depthMultiplier"] = node.weight.shape[0] // node.attrs["groups"]
    else:
        op, options, order = "CONV_2D", "Conv2DOptions", (0, 2, 3, 1)
    float_dilated = w.numbers.dtype != "int8" and node.depthwise and tuple(dilation) != (1, 1)
    version = 2 if float_dilated else None
    inputs = [source, *_weighted(w, node, label, order)]
    w.clamped(
        node, label, lambda out: w.operation(op, inputs, out, options, version=version, **fields)
    )


def _conv_transpose(w: Lowering, node: Node, label: str) -> None:
    assert node.weight is not None
    _, _channels, height, width = w.graph[node.inputs[0]].shape
    kernel, stride = node.weight.shape[2:], node.attrs["stride"]
    top, bottom, left, right = node.attrs["padding"]
    whole = [(n - 1) * s + k for n, s, k in zip((height, width), stride, kernel, strict=True)]
    wanted = [whole[0] - top - bottom, whole[1] - left - right]
    # SAME cuts off what is more than stride times the input, the smaller half above
    same = all(
        size == n * s and before == max(full - size, 0) // 2
        for size, n, s, full, before in zip(
            wanted, (height, width), stride, whole, (top, left), strict=True
        )
    )
    exact = wanted == whole
    size = wanted if same or exact else whole
    shape = (1, size[0], size[1], node.shape[1])
    weight, bias = _weighted(w, node, label, (0, 2, 3, 1))
    inputs = [w.constant(f"{label}_size", shape), weight, w.fetch(node.inputs[0]), bias]
    padding = "SAME" if same and not exact else "VALID"
    cut = not (same or exact)
    target = w.activation(f"{label}_whole", shape, node.name) if cut else w.output(node, label)
    w.operation(
        "TRANSPOSE_CONV", inputs, target, "TransposeConvOptions",
        strideH=stride[0], strideW=stride[1], padding=padding,
    )  # fmt: skip
    if cut:
        ends = (1, top + wanted[0], left + wanted[1], node.shape[1])
        _emit_slice(w, target, w.output(node, label), (0, top, left, 0), ends, (1, 1, 1, 1), label)


def _linear(w: Lowering, node: Node, label: str) -> None:
    inputs = [w.fetch(node.inputs[0]), *_weighted(w, node, label, (0, 1))]
    act = w.clamp(node)
    w.clamped(
        node,
        label,
        lambda out: w.operation(
            "FULLY_CONNECTED", inputs, out, "FullyConnectedOptions", fusedActivationFunction=act
        ),
    )


def _matmul(w: Lowering, node: Node, label: str) -> None:
    rank = len(node.shape)
    plain = tuple(range(rank))
    swapped = (*plain[:-2], rank - 1, rank - 2)
    inputs, flags = [], []
    for name in node.inputs:
        turned = w.placed[name].layout == swapped
        inputs.append(w.fetch(name, swapped if turned else plain))
        flags.append(turned)
    target = w.output(node, label, plain)
    w.operation("BATCH_MATMUL", inputs, target, "BatchMatMulOptions", adjX=flags[0], adjY=flags[1])


def _binary(w: Lowering, node: Node, label: str) -> None:
    op, options = {"add": ("ADD", "AddOptions"), "mul": ("MUL", "MulOptions")}[node.op]
    layout = w.common_layout(node)
    inputs = [w.fetch(i, layout) for i in node.inputs]
    version = None
    if node.op == "mul" and w.numbers.rescales_upwards(node):
        version = 3  # older int8 kernels took only factors below one
    act = w.clamp(node)
    w.clamped(
        node,
        label,
        lambda out: w.operation(
            op, inputs, out, options, version=version, fusedActivationFunction=act
        ),
        layout,
    )


def _concat(w: Lowering, node: Node, label: str) -> None:
    layout = w.common_layout(node)
    axis = layout.index(1)
    inputs = [w.fetch(i, layout) for i in node.inputs]
    sizes = [w.graph[i].shape[1] for i in node.inputs]
    while len(inputs) > _MOST_JOINED:
        first, inputs = inputs[:_MOST_JOINED], inputs[_MOST_JOINED:]
        shape = (node.shape[0], sum(sizes[:_MOST_JOINED]), *node.shape[2:])
        sizes = [shape[1], *sizes[_MOST_JOINED:]]
        part = w.activation(f"{label}_{len(sizes)}", device_shape(shape, layout), node.name)
        w.operation("CONCATENATION", first, part, "ConcatenationOptions", axis=axis)
        inputs.insert(0, part)
    target = w.output(node, label, layout)
    w.operation("CONCATENATION", inputs, target, "ConcatenationOptions", axis=axis)


def _unary(op: str) -> Emitter:
    def emit(w: Lowering, node: Node, label: str) -> None:
        source = w.placed[node.inputs[0]]
        w.operation(op, [source.index], w.output(node, label, source.layout))

    return emit


def _lookup(w: Lowering, node: Node, label: str) -> None:
    source, function = w.placed[node.inputs[0]], node.attrs["function"]
    target = w.output(node, label, source.layout)
    op, options, fields = _FUNCTIONS[function]
    if function == "leaky_relu":
        fields = {"alpha": float(node.attrs["slope"])}
    w.operation(op, [source.index], target, options, **fields)


_FUNCTIONS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "tanh": ("TANH", None, {}),
    "gelu": ("GELU", "GeluOptions", {"approximate": False}),
    "gelu_tanh": ("GELU", "GeluOptions", {"approximate": True}),
    "exp": ("EXP", "ExpOptions", {}),
    "elu": ("ELU", None, {}),
    "leaky_relu": ("LEAKY_RELU", "LeakyReluOptions", {}),
    "rsqrt": ("RSQRT", None, {}),
}
"""Op, option table, fields."""


def _prelu(w: Lowering, node: Node, label: str) -> None:
    slopes = np.asarray(node.attrs["slopes"], np.float32).reshape(1, 1, -1)
    stored, scales, zero_points = w.numbers.constant(slopes)
    alpha = w.builder.tensor(
        f"{label}_slopes", stored.shape, w.numbers.dtype,
        scales=scales, zero_points=zero_points, data=stored,
    )  # fmt: skip
    w.operation("PRELU", [w.fetch(node.inputs[0]), alpha], w.output(node, label))


def _constant(w: Lowering, node: Node, label: str) -> None:
    layout = tuple(range(len(node.shape)))
    if len(layout) == 4:
        layout = (0, 2, 3, 1)
    values = node.attrs["value"].detach().cpu().numpy().transpose(layout)
    scales, zero_points = w.numbers.activation(node.name)
    stored = w.numbers.stored(node.name, np.ascontiguousarray(values))
    index = w.builder.tensor(
        label, stored.shape, w.numbers.dtype, scales=scales, zero_points=zero_points, data=stored
    )
    w.placed[node.name] = Placed(index, layout)


def _softmax(w: Lowering, node: Node, label: str) -> None:
    name = node.inputs[0]
    layout = last_axis_layout(w.placed[name].layout, node.shape, 1)
    source = w.fetch(name, layout)
    w.operation("SOFTMAX", [source], w.output(node, label, layout), "SoftmaxOptions", beta=1.0)


def _mean(w: Lowering, node: Node, label: str) -> None:
    inputs = [w.fetch(node.inputs[0]), w.constant(f"{label}_axes", [1, 2])]
    w.operation("MEAN", inputs, w.output(node, label), "ReducerOptions", keepDims=True)


def _pool(w: Lowering, node: Node, label: str) -> None:
    a = node.attrs
    # Average pooling never gets here with a border SAME cannot express.
    source, padding = w.windowed(node, None)
    w.operation(
        {"max_pool": "MAX_POOL_2D", "avg_pool": "AVERAGE_POOL_2D"}[node.op],
        [source],
        w.output(node, label),
        "Pool2DOptions",
        padding=padding,
        strideH=a["stride"][0],
        strideW=a["stride"][1],
        filterHeight=a["kernel"][0],
        filterWidth=a["kernel"][1],
    )


def _upsample(w: Lowering, node: Node, label: str) -> None:
    inputs = [w.fetch(node.inputs[0]), w.constant(f"{label}_size", node.shape[2:])]
    w.operation(
        "RESIZE_NEAREST_NEIGHBOR", inputs, w.output(node, label), "ResizeNearestNeighborOptions"
    )


def _pad(w: Lowering, node: Node, label: str) -> None:
    target = w.output(node, label)
    w.emit_pad(node.inputs[0], node.attrs["padding"], node.attrs["value"], target, label)


def _resize(w: Lowering, node: Node, label: str) -> None:
    inputs = [w.fetch(node.inputs[0]), w.constant(f"{label}_size", node.attrs["size"])]
    if node.attrs["mode"] == "nearest":
        op, fields = "RESIZE_NEAREST_NEIGHBOR", {}
    else:
        aligned = node.attrs["aligned"]
        op, fields = "RESIZE_BILINEAR", {"alignCorners": aligned, "halfPixelCenters": not aligned}
    options = {"nearest": "ResizeNearestNeighborOptions", "bilinear": "ResizeBilinearOptions"}
    version = 3 if fields.get("halfPixelCenters") else None
    w.operation(
        op, inputs, w.output(node, label), options[node.attrs["mode"]], version=version, **fields
    )


def _reshape(w: Lowering, node: Node, label: str) -> None:
    """The graph counts elements in its own order; where the device's differs, a TRANSPOSE comes before."""
    name = node.inputs[0]
    source, before = w.placed[name], w.graph[name].shape
    layout = reshaped_layout(before, source.layout, node.shape)
    index = source.index
    if layout is None:
        index = w.fetch(name, tuple(range(len(before))))
        layout = tuple(range(len(node.shape)))
    shape = device_shape(node.shape, layout)
    w.reshape(index, w.output(node, label, layout), shape, label)


def _move(w: Lowering, node: Node, label: str) -> None:
    """No op: the same bytes, read in another order."""
    source = w.placed[node.inputs[0]]
    w.alias(node, permuted_layout(source.layout, node.attrs["order"]), source.index)


def _slice(w: Lowering, node: Node, label: str) -> None:
    a, name = node.attrs, node.inputs[0]
    source = w.placed[name]
    axis, rank = source.layout.index(a["axis"]), len(node.shape)
    begin, strides = [0] * rank, [1] * rank
    end = list(device_shape(w.graph[name].shape, source.layout))
    begin[axis], end[axis], strides[axis] = a["start"], a["stop"], a["step"]
    target = w.output(node, label, source.layout)
    _emit_slice(w, source.index, target, begin, end, strides, label)


def _emit_slice(
    w: Lowering,
    source: int,
    target: int,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int],
    label: str,
) -> None:
    named = (("begin", begin), ("end", end), ("strides", strides))
    inputs = [source, *(w.constant(f"{label}_{name}", values) for name, values in named)]
    masks = dict.fromkeys(
        ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask"), 0
    )
    w.operation("STRIDED_SLICE", inputs, target, "StridedSliceOptions", **masks)


def _requantize(w: Lowering, node: Node, label: str) -> None:
    source = w.placed[node.inputs[0]]
    if w.numbers.dtype != "int8":
        w.alias(node, source.layout, source.index)
        return
    w.operation("QUANTIZE", [source.index], w.output(node, label, source.layout), "QuantizeOptions")


EMITTERS: dict[str, Emitter] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "add": _binary,
    "mul": _binary,
    "concat": _concat,
    "sigmoid": _unary("LOGISTIC"),
    "lookup": _lookup,
    "prelu": _prelu,
    "constant": _constant,
    "matmul": _matmul,
    "softmax": _softmax,
    "mean": _mean,
    "max_pool": _pool,
    "avg_pool": _pool,
    "upsample": _upsample,
    "pad": _pad,
    "resize": _resize,
    "reshape": _reshape,
    "transpose": _move,
    "slice": _slice,
    "requantize": _requantize,
}
