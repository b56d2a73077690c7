"""Lowers a graph to the op list of a device: int8 from a :class:`QuantizedGraph`, fp32 from a float one.

Both precisions take one path; a :class:`Numbers` object supplies types, scales and integer weights.
Tensors are NHWC, weights OHWI (depthwise 1HWC), as the kernels demand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.integer.capabilities import check_graph
from edgectl.quant.integer.numbers import FloatNumbers, Int8Numbers, Numbers
from edgectl.quant.integer.padding import node_padding
from edgectl.quant.integer.program import Program, ProgramBuilder
from edgectl.quant.quantized import QuantizedGraph

INPUT_NAME = "image"

_INT8_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "RESHAPE": 1,
}
"""Lowest op versions whose int8 kernels exist; 2 where not listed. Float kernels are version 1."""


def lower_graph(
    graph: QuantizedGraph | QuantGraph,
    output_names: Sequence[str],
    *,
    rows: Collection[str] = (),
) -> Program:
    """The program of a graph.

    Args:
        output_names: public names of the graph's outputs, in order.
        rows: those of them that are written as (1, H * W, C) instead of (1, H, W, C).

    Raises:
        ArtifactError: an op or attribute the device cannot run.
    """
    if isinstance(graph, QuantizedGraph):
        return _Lowering(graph.graph, Int8Numbers(graph)).run(output_names, rows)
    return _Lowering(graph, FloatNumbers(graph)).run(output_names, rows)


class _Lowering:
    def __init__(self, graph: QuantGraph, numbers: Numbers) -> None:
        problems = check_graph(graph)
        if problems:
            raise ArtifactError(
                "; ".join(problems), fix="train a variant without them and export again"
            )
        self.graph = graph
        self.numbers = numbers
        self.builder = ProgramBuilder()
        self.index: dict[str, int] = {}
        self.padded: dict[tuple[str, tuple[int, ...], float | None], int] = {}

    def run(self, output_names: Sequence[str], rows: Collection[str]) -> Program:
        names = dict(zip(self.graph.outputs, output_names, strict=True))
        results: dict[str, int] = {}
        for node in self.graph:
            label = INPUT_NAME if node.op == "input" else names.get(node.name, node.name)
            if label in rows:
                label += "_grid"
            if node.op == "input":
                self.index[node.name] = self.activation(label, device_shape(node.shape), node.name)
            else:
                _HANDLERS[node.op](self, node, label)
            if node.name in names:
                name = names[node.name]
                results[name] = self.as_rows(node, name) if name in rows else self.index[node.name]
        return self.builder.finish(
            {INPUT_NAME: self.index[self.graph.input.name]}, {n: results[n] for n in output_names}
        )

    def as_rows(self, node: Node, label: str) -> int:
        """The node's tensor again, a row a cell."""
        _, channels, height, width = node.shape
        shape = (1, height * width, channels)
        target = self.activation(label, shape, node.name)
        _emit_reshape(self, self.index[node.name], target, shape, label)
        return target

    def activation(self, label: str, shape: Sequence[int], like: str) -> int:
        """A tensor with the parameters of the graph's tensor ``like``."""
        scales, zero_points = self.numbers.activation(like)
        return self.builder.tensor(
            label, shape, self.numbers.dtype, scales=scales, zero_points=zero_points
        )

    def output(self, node: Node, label: str) -> int:
        """The node's own output tensor."""
        self.index[node.name] = self.activation(label, device_shape(node.shape), node.name)
        return self.index[node.name]

    def constant(self, label: str, values: Any) -> int:
        """An int32 parameter tensor."""
        data = np.asarray(values, np.int32)
        return self.builder.tensor(label, data.shape, "int32", data=data)

    def operation(
        self,
        name: str,
        inputs: Sequence[int],
        output: int,
        options: str | None = None,
        *,
        version: int | None = None,
        **fields: Any,
    ) -> None:
        """An op in the version its kernel for this precision needs."""
        if version is None:
            version = _INT8_VERSIONS.get(name, 2) if self.numbers.dtype == "int8" else 1
        self.builder.operation(name, version, inputs, output, options, **fields)

    def clamp(self, node: Node) -> str:
        """The fused activation. ``unit`` needs none in int8: it is the range of the output."""
        return {None: "NONE", "relu": "RELU", "relu6": "RELU6", "unit": "NONE"}[node.activation]

    def clamped(self, node: Node, label: str, emit: Callable[[int], None]) -> None:
        """Emits an op that may carry a clamp; ``emit`` receives the tensor to write to."""
        if node.activation != "unit" or self.numbers.dtype == "int8":
            emit(self.output(node, label))
            return
        # No fused clamp to [0, 1] exists in float.
        shape = device_shape(node.shape)
        value = self.activation(f"{label}_unclamped", shape, node.name)
        emit(value)
        for name, bound in (("MAXIMUM", 0.0), ("MINIMUM", 1.0)):
            limit = self.builder.tensor(
                f"{label}_{name.lower()}", (1,), "float32", data=np.array([bound], np.float32)
            )
            last = name == "MINIMUM"
            target = (
                self.output(node, label)
                if last
                else self.activation(f"{label}_raised", shape, node.name)
            )
            self.operation(name, [value, limit], target, "MaximumMinimumOptions")
            value = target

    def pad(self, source: str, border: Sequence[int], value: float | None) -> int:
        """A border around a tensor; ``value`` None pads with what no maximum picks.

        The same border around the same tensor is written once.
        """
        key = (source, tuple(border), value)
        if key not in self.padded:
            label = f"{source}_pad" + "".join(f"_{b}" for b in border)
            top, bottom, left, right = border
            n, c, h, w = self.graph[source].shape
            shape = (n, h + top + bottom, w + left + right, c)
            self.padded[key] = self.activation(label, shape, source)
            self.emit_pad(source, border, value, self.padded[key], label)
        return self.padded[key]

    def emit_pad(
        self, source: str, border: Sequence[int], value: float | None, target: int, label: str
    ) -> None:
        """PAD writes real zero; PADV2 anything else."""
        top, bottom, left, right = border
        widths = self.constant(f"{label}_widths", [(0, 0), (top, bottom), (left, right), (0, 0)])
        inputs = [self.index[source], widths]
        stored = self.numbers.border(source, value)
        if stored == self.numbers.border(source, 0.0):
            self.operation("PAD", inputs, target, "PadOptions")
            return
        scales, zero_points = self.numbers.activation(source)
        fill = self.builder.tensor(
            f"{label}_value",
            (1,),
            self.numbers.dtype,
            scales=scales,
            zero_points=zero_points,
            data=np.array([stored], self.numbers.dtype),
        )
        self.operation("PADV2", [*inputs, fill], target, "PadV2Options")

    def windowed(self, node: Node, value: float | None) -> tuple[int, str]:
        """(input tensor, padding mode) of a convolution or pooling."""
        source = node.inputs[0]
        padding = node_padding(self.graph, node)
        if padding.explicit is None:
            return self.index[source], padding.mode
        return self.pad(source, padding.explicit, value), padding.mode


def device_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """NCHW to NHWC; other ranks stay."""
    if len(shape) != 4:
        return tuple(shape)
    n, c, h, w = shape
    return n, h, w, c


def _weighted(w: _Lowering, node: Node, label: str, order: Sequence[int]) -> list[int]:
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


def _conv(w: _Lowering, node: Node, label: str) -> None:
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


def _linear(w: _Lowering, node: Node, label: str) -> None:
    inputs = [w.index[node.inputs[0]], *_weighted(w, node, label, (0, 1))]
    act = w.clamp(node)
    w.clamped(
        node,
        label,
        lambda out: w.operation(
            "FULLY_CONNECTED", inputs, out, "FullyConnectedOptions", fusedActivationFunction=act
        ),
    )


def _binary(w: _Lowering, node: Node, label: str) -> None:
    op, options = {"add": ("ADD", "AddOptions"), "mul": ("MUL", "MulOptions")}[node.op]
    inputs = [w.index[i] for i in node.inputs]
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
    )


def _concat(w: _Lowering, node: Node, label: str) -> None:
    axis = 3 if len(node.shape) == 4 else 1
    inputs = [w.index[i] for i in node.inputs]
    w.operation("CONCATENATION", inputs, w.output(node, label), "ConcatenationOptions", axis=axis)


def _sigmoid(w: _Lowering, node: Node, label: str) -> None:
    w.operation("LOGISTIC", [w.index[node.inputs[0]]], w.output(node, label))


def _softmax(w: _Lowering, node: Node, label: str) -> None:
    source = w.index[node.inputs[0]]
    w.operation("SOFTMAX", [source], w.output(node, label), "SoftmaxOptions", beta=1.0)


def _mean(w: _Lowering, node: Node, label: str) -> None:
    inputs = [w.index[node.inputs[0]], w.constant(f"{label}_axes", [1, 2])]
    w.operation("MEAN", inputs, w.output(node, label), "ReducerOptions", keepDims=True)


def _pool(w: _Lowering, node: Node, label: str) -> None:
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


def _upsample(w: _Lowering, node: Node, label: str) -> None:
    inputs = [w.index[node.inputs[0]], w.constant(f"{label}_size", node.shape[2:])]
    w.operation(
        "RESIZE_NEAREST_NEIGHBOR", inputs, w.output(node, label), "ResizeNearestNeighborOptions"
    )


def _pad(w: _Lowering, node: Node, label: str) -> None:
    target = w.output(node, label)
    w.emit_pad(node.inputs[0], node.attrs["padding"], node.attrs["value"], target, label)


def _reshape(w: _Lowering, node: Node, label: str) -> None:
    """The graph counts elements in NCHW order; where NHWC differs, a TRANSPOSE goes between."""
    source = node.inputs[0]
    before, after = w.graph[source].shape, node.shape
    tensor = w.index[source]
    if _order_matters(before):
        channels_first = w.activation(f"{label}_channels_first", before, source)
        _transpose(w, tensor, channels_first, (0, 3, 1, 2), f"{label}_order_before")
        tensor = channels_first
    if not _order_matters(after):
        _emit_reshape(w, tensor, w.output(node, label), device_shape(after), label)
        return
    channels_first = w.activation(f"{label}_reshaped", after, node.name)
    _emit_reshape(w, tensor, channels_first, after, label)
    _transpose(w, channels_first, w.output(node, label), (0, 2, 3, 1), f"{label}_order_after")


def _order_matters(shape: Sequence[int]) -> bool:
    return len(shape) == 4 and shape[1] > 1 and shape[2] * shape[3] > 1


def _transpose(w: _Lowering, source: int, target: int, order: Sequence[int], label: str) -> None:
    w.operation("TRANSPOSE", [source, w.constant(label, order)], target, "TransposeOptions")


def _emit_reshape(w: _Lowering, source: int, target: int, shape: Sequence[int], label: str) -> None:
    inputs = [source, w.constant(f"{label}_shape", shape)]
    w.operation("RESHAPE", inputs, target, "ReshapeOptions", newShape=list(shape))


_HANDLERS: dict[str, Callable[[_Lowering, Node, str], None]] = {
    "conv": _conv,
    "linear": _linear,
    "add": _binary,
    "mul": _binary,
    "concat": _concat,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "mean": _mean,
    "max_pool": _pool,
    "avg_pool": _pool,
    "upsample": _upsample,
    "pad": _pad,
    "reshape": _reshape,
}
