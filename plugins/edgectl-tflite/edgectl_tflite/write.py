"""QuantizedGraph (int8) or QuantGraph (float32) to a TensorFlow Lite file.

NCHW becomes NHWC. Padding that equals TFLite's SAME for the tensor's size costs nothing; any other is
written as a PAD operator, which copies the tensor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from edgectl.quant.graph import Node, QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.scheme import QParams
from edgectl.types import OutputSpec

from edgectl_tflite.flatfile import FlatFile

_SAME, _VALID = 0, 1
_FUSED = {None: 0, "relu": 1, "relu6": 3, "unit": 0}


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """(before, after) that TFLite's SAME adds along one axis."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def write_file(
    graph: QuantizedGraph | QuantGraph, specs: Sequence[OutputSpec], input_name: str = "image"
) -> bytes:
    """The file's bytes. Output names are those of ``specs``."""
    return _Writer(graph).write(specs, input_name)


class _Writer:
    def __init__(self, source: QuantizedGraph | QuantGraph) -> None:
        self.quantized = source if isinstance(source, QuantizedGraph) else None
        self.graph = source.graph if isinstance(source, QuantizedGraph) else source
        self.file = FlatFile()
        self.index: dict[str, int] = {}

    def write(self, specs: Sequence[OutputSpec], input_name: str) -> bytes:
        for node in self.graph:
            if node.op == "input":
                self.index[node.name] = self._output(node, input_name)
            else:
                getattr(self, f"_{node.op}")(node)
        outputs = {
            s.name: self.index[o] for s, o in zip(specs, self.graph.outputs, strict=True)
        }
        return self.file.finish({input_name: self.index[self.graph.input.name]}, outputs)

    # -- tensors

    def _params(self, name: str) -> QParams | None:
        return self.quantized.activations[name] if self.quantized else None

    def _output(self, node: Node, name: str | None = None) -> int:
        index = self.file.activation(name or node.name, nhwc(node.shape), self._params(node.name))
        self.index[node.name] = index
        return index

    def _inputs(self, node: Node) -> list[int]:
        return [self.index[i] for i in node.inputs]

    def _weights(self, node: Node, axes: tuple[int, ...], axis: int) -> tuple[int, int]:
        """Indices of the weight (transposed to ``axes``) and bias tensors."""
        assert node.weight is not None
        assert node.bias is not None
        if self.quantized is None:
            weight = node.weight.detach().numpy().transpose(axes)
            bias = node.bias.detach().numpy()
            return (
                self.file.tensor(node.name + "_w", weight.shape, "float32", data=weight),
                self.file.tensor(node.name + "_b", bias.shape, "float32", data=bias),
            )
        weight = self.quantized.integer_weight(node).transpose(axes)
        scales = self.quantized.weight_scales[node.name].detach().numpy()
        bias = self.quantized.integer_bias(node)
        return (
            self.file.tensor(
                node.name + "_w", weight.shape, "int8", scale=scales, axis=axis, data=weight
            ),
            self.file.tensor(
                node.name + "_b",
                bias.shape,
                "int32",
                scale=self.quantized.bias_scale(node),
                data=bias,
            ),
        )

    # -- operators

    def _conv(self, node: Node) -> None:
        assert node.weight is not None
        a, (source,) = node.attrs, self._inputs(node)
        kernel = (int(node.weight.shape[2]), int(node.weight.shape[3]))
        source, padding = self._padded(node, source, kernel, a["dilation"], 0.0)
        options = {
            "padding": padding,
            "strideH": a["stride"][0],
            "strideW": a["stride"][1],
            "dilationHFactor": a["dilation"][0],
            "dilationWFactor": a["dilation"][1],
            "fusedActivationFunction": _FUSED[node.activation],
        }
        if node.depthwise:
            weight, bias = self._weights(node, (1, 2, 3, 0), 3)
            kind = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions")
            options["depthMultiplier"] = 1
        else:
            weight, bias = self._weights(node, (0, 2, 3, 1), 0)
            kind = ("CONV_2D", "Conv2DOptions")
        self.file.operator(
            kind[0],
            [source, weight, bias],
            self._output(node),
            (kind[1], options),
            self._version(3),
        )

    def _linear(self, node: Node) -> None:
        weight, bias = self._weights(node, (0, 1), 0)
        # version 5 is the first with int8; per-channel scales are allowed from 12 on
        options = {"fusedActivationFunction": _FUSED[node.activation]}
        self.file.operator(
            "FULLY_CONNECTED",
            [*self._inputs(node), weight, bias],
            self._output(node),
            ("FullyConnectedOptions", options),
            self._version(12),
        )

    def _add(self, node: Node) -> None:
        self._elementwise(node, "ADD", "AddOptions")

    def _mul(self, node: Node) -> None:
        self._elementwise(node, "MUL", "MulOptions")

    def _elementwise(self, node: Node, builtin: str, options: str) -> None:
        fused = {"fusedActivationFunction": _FUSED[node.activation]}
        self.file.operator(
            builtin, self._inputs(node), self._output(node), (options, fused), self._version(2)
        )

    def _concat(self, node: Node) -> None:
        axis = 3 if len(node.shape) == 4 else 1
        options = ("ConcatenationOptions", {"axis": axis})
        self.file.operator(
            "CONCATENATION", self._inputs(node), self._output(node), options, self._version(2)
        )

    def _sigmoid(self, node: Node) -> None:
        self.file.operator(
            "LOGISTIC", self._inputs(node), self._output(node), version=self._version(2)
        )

    def _mean(self, node: Node) -> None:
        axes = self.file.integers(node.name + "_axes", [1, 2])
        self.file.operator(
            "MEAN",
            [*self._inputs(node), axes],
            self._output(node),
            ("ReducerOptions", {"keepDims": True}),
            self._version(2),
        )

    def _max_pool(self, node: Node) -> None:
        self._pool(node, "MAX_POOL_2D")

    def _avg_pool(self, node: Node) -> None:
        self._pool(node, "AVERAGE_POOL_2D")

    def _pool(self, node: Node, builtin: str) -> None:
        a, (source,) = node.attrs, self._inputs(node)
        source, padding = self._padded(node, source, a["kernel"], (1, 1), 0.0)
        options = {
            "padding": padding,
            "strideH": a["stride"][0],
            "strideW": a["stride"][1],
            "filterHeight": a["kernel"][0],
            "filterWidth": a["kernel"][1],
            "fusedActivationFunction": _FUSED[node.activation],
        }
        self.file.operator(
            builtin, [source], self._output(node), ("Pool2DOptions", options), self._version(2)
        )

    def _upsample(self, node: Node) -> None:
        size = self.file.integers(node.name + "_size", node.shape[2:])
        self.file.operator(
            "RESIZE_NEAREST_NEIGHBOR",
            [*self._inputs(node), size],
            self._output(node),
            ("ResizeNearestNeighborOptions", {}),
            self._version(2),
        )

    def _reshape(self, node: Node) -> None:
        shape = self.file.integers(node.name + "_shape", node.shape)
        options = ("ReshapeOptions", {"newShape": [int(n) for n in node.shape]})
        self.file.operator("RESHAPE", [*self._inputs(node), shape], self._output(node), options)

    def _pad(self, node: Node) -> None:
        (source,) = self._inputs(node)
        self._pad_operator(node.name, source, node.inputs[0], node.attrs, self._output(node))

    # -- padding

    def _padded(
        self,
        node: Node,
        source: int,
        kernel: Sequence[int],
        dilation: Sequence[int],
        value: float,
    ) -> tuple[int, int]:
        """(tensor to read, SAME or VALID); writes a PAD when neither fits."""
        padding, stride = node.attrs["padding"], node.attrs["stride"]
        if not any(padding):
            return source, _VALID
        _, channels, height, width = self.graph[node.inputs[0]].shape
        same = (
            *same_padding(height, kernel[0], stride[0], dilation[0]),
            *same_padding(width, kernel[1], stride[1], dilation[1]),
        )
        if tuple(padding) == same:
            return source, _SAME
        top, bottom, left, right = padding
        shape = (1, height + top + bottom, width + left + right, channels)
        name = node.name + "_padded"
        padded = self.file.activation(name, shape, self._params(node.inputs[0]))
        attrs = {"padding": padding, "value": value}
        self._pad_operator(name, source, node.inputs[0], attrs, padded)
        return padded, _VALID

    def _pad_operator(
        self, name: str, source: int, source_name: str, attrs: dict[str, object], output: int
    ) -> None:
        top, bottom, left, right = attrs["padding"]  # type: ignore[misc]
        borders = self.file.integers(
            name + "_borders", [[0, 0], [top, bottom], [left, right], [0, 0]]
        )
        value = float(attrs["value"])  # type: ignore[arg-type]
        if value == 0.0:
            self.file.operator(
                "PAD", [source, borders], output, ("PadOptions", {}), self._version(2)
            )
            return
        q = self._params(source_name)
        if q is None:
            constant = self.file.tensor(
                name + "_value", (1,), "float32", data=np.array([value], np.float32)
            )
        else:
            code = np.clip(np.rint(value / q.scale) + q.zero_point, -128, 127)
            constant = self.file.tensor(
                name + "_value",
                (1,),
                "int8",
                scale=[q.scale],
                zero_point=q.zero_point,
                data=np.array([code], np.int8),
            )
        self.file.operator(
            "PADV2", [source, borders, constant], output, ("PadV2Options", {}), self._version(2)
        )

    def _version(self, int8: int) -> int:
        """Operator version: float kernels have been there since version 1."""
        return int8 if self.quantized is not None else 1


def nhwc(shape: Sequence[int]) -> tuple[int, ...]:
    """NCHW to NHWC; other ranks as they are."""
    return (shape[0], shape[2], shape[3], shape[1]) if len(shape) == 4 else tuple(shape)


