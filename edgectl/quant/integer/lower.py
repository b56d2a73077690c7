"""Lowers a graph to the op list of a device: int8 from a :class:`QuantizedGraph`, fp32 from a float one.

Both precisions take one path; a :class:`Numbers` object supplies types, scales and integer weights.
Feature maps are NHWC, weights OHWI (depthwise 1HWC), as the kernels demand; in which order other tensors
lie is :mod:`~edgectl.quant.integer.layout`'s business. What each op becomes stands in
:mod:`~edgectl.quant.integer.operations`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.integer.capabilities import check_graph
from edgectl.quant.integer.layout import (
    Layout,
    device_shape,
    same_bytes,
    standard_layout,
)
from edgectl.quant.integer.numbers import FloatNumbers, Int8Numbers, Numbers
from edgectl.quant.integer.padding import node_padding
from edgectl.quant.integer.program import Program, ProgramBuilder
from edgectl.quant.quantized import QuantizedGraph

INPUT_NAME = "image"

_MOST_AXES = 5
"""What the kernels of TRANSPOSE take."""

_INT8_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "TRANSPOSE_CONV": 3,
    "FULLY_CONNECTED": 4,
    "BATCH_MATMUL": 2,
    "RESHAPE": 1,
    "PRELU": 1,
    "ELU": 1,
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
    from edgectl.quant.integer.operations import EMITTERS

    if isinstance(graph, QuantizedGraph):
        lowering = Lowering(graph.graph, Int8Numbers(graph), EMITTERS)
    else:
        lowering = Lowering(graph, FloatNumbers(graph), EMITTERS)
    return lowering.run(output_names, rows)


@dataclass(frozen=True)
class Placed:
    """Where a tensor of the graph lies: index in the program, and the order of its axes there."""

    index: int
    layout: Layout


Emitter = Callable[["Lowering", Node, str], None]


class Lowering:
    """One graph on its way; emitters (:mod:`~edgectl.quant.integer.operations`) append to it."""

    def __init__(
        self, graph: QuantGraph, numbers: Numbers, emitters: Mapping[str, Emitter]
    ) -> None:
        problems = check_graph(graph)
        if problems:
            raise ArtifactError(
                "; ".join(problems), fix="train a variant without them and export again"
            )
        self.graph = graph
        self.numbers = numbers
        self.builder = ProgramBuilder()
        self.emitters = emitters
        self.placed: dict[str, Placed] = {}
        self.turned: dict[tuple[str, Layout], int] = {}
        self.padded: dict[tuple[str, tuple[int, ...], float | None], int] = {}

    def run(self, output_names: Sequence[str], rows: Collection[str]) -> Program:
        """The program."""
        names = dict(zip(self.graph.outputs, output_names, strict=True))
        results: dict[str, int] = {}
        for node in self.graph:
            label = INPUT_NAME if node.op == "input" else names.get(node.name, node.name)
            if label in rows:
                label += "_grid"
            if node.op == "input":
                self.output(node, label)
            else:
                self.emitters[node.op](self, node, label)
            if node.name in names:
                name = names[node.name]
                taken = {*results.values(), self.placed[self.graph.input.name].index}
                results[name] = self.as_output(node, name, taken, name in rows)
        source = self.placed[self.graph.input.name].index
        return self.builder.finish({INPUT_NAME: source}, {n: results[n] for n in output_names})

    def as_output(self, node: Node, name: str, taken: Collection[int], row: bool) -> int:
        """The node's tensor as its reader expects it: in the standard order, or a row a cell."""
        if row:
            _, channels, height, width = node.shape
            shape: tuple[int, ...] = (1, height * width, channels)
        else:
            shape = device_shape(node.shape)
        index = self.fetch(node.name, label=name)
        if not row and index not in taken:
            return index
        target = self.activation(name, shape, node.name)
        self.reshape(index, target, shape, name)
        return target

    def fetch(self, name: str, layout: Layout | None = None, label: str = "") -> int:
        """A tensor of the graph with its axes in this order, the standard one when None."""
        shape, placed = self.graph[name].shape, self.placed[name]
        wanted = standard_layout(len(shape)) if layout is None else layout
        if wanted == placed.layout:
            return placed.index
        key = (name, wanted)
        if key not in self.turned:
            label = label or f"{name}_" + "".join(map(str, wanted))
            held = self.builder.record(placed.index)
            order = [placed.layout.index(axis) for axis in wanted]
            if held.data is not None:
                turned = np.ascontiguousarray(held.data.transpose(order))
                self.turned[key] = self.builder.tensor(
                    label, turned.shape, held.dtype,
                    scales=held.scales, zero_points=held.zero_points, data=turned,
                )  # fmt: skip
                return self.turned[key]
            target = self.activation(label, device_shape(shape, wanted), name)
            if same_bytes(shape, wanted, placed.layout):
                self.reshape(placed.index, target, device_shape(shape, wanted), label)
            else:
                self.transpose(placed.index, target, held.shape, order, name, label)
            self.turned[key] = target
        return self.turned[key]

    def transpose(
        self,
        source: int,
        target: int,
        held: Sequence[int],
        order: Sequence[int],
        like: str,
        label: str,
    ) -> None:
        """TRANSPOSE, between reshapes where there are more axes than its kernels take."""
        if len(held) <= _MOST_AXES:
            self.operation(
                "TRANSPOSE",
                [source, self.constant(f"{label}_order", order)],
                target,
                "TransposeOptions",
            )
            return
        long = [axis for axis, size in enumerate(held) if size > 1]
        fewer = (1, *(held[axis] for axis in long))
        kept = [axis for axis in order if axis in long]
        inner = [0, *(1 + long.index(axis) for axis in kept)]
        first = self.activation(f"{label}_few", fewer, like)
        self.reshape(source, first, fewer, f"{label}_few")
        turned = tuple(fewer[axis] for axis in inner)
        second = self.activation(f"{label}_few_turned", turned, like)
        self.operation(
            "TRANSPOSE", [first, self.constant(f"{label}_order", inner)], second, "TransposeOptions"
        )
        self.reshape(second, target, tuple(held[axis] for axis in order), label)

    def reshape(self, source: int, target: int, shape: Sequence[int], label: str) -> None:
        """The same bytes under another shape."""
        inputs = [source, self.constant(f"{label}_shape", shape)]
        self.operation("RESHAPE", inputs, target, "ReshapeOptions", newShape=list(shape))

    def alias(self, node: Node, layout: Layout, index: int) -> None:
        """The node's tensor is one that is there already."""
        self.placed[node.name] = Placed(index, layout)

    def common_layout(self, node: Node) -> Layout:
        """The order the inputs of an element-wise op should have: the one most bytes have already."""
        layouts: dict[Layout, int] = {}
        for name in node.inputs:
            layout = self.placed[name].layout
            layouts[layout] = layouts.get(layout, 0) + math.prod(self.graph[name].shape)
        return max(layouts, key=lambda k: layouts[k])

    def activation(self, label: str, shape: Sequence[int], like: str) -> int:
        """A tensor with the parameters of the graph's tensor ``like``."""
        scales, zero_points = self.numbers.activation(like)
        return self.builder.tensor(
            label, shape, self.numbers.dtype, scales=scales, zero_points=zero_points
        )

    def output(self, node: Node, label: str, layout: Layout | None = None) -> int:
        """The node's own output tensor."""
        layout = standard_layout(len(node.shape)) if layout is None else layout
        index = self.activation(label, device_shape(node.shape, layout), node.name)
        self.placed[node.name] = Placed(index, layout)
        return index

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

    def clamped(
        self, node: Node, label: str, emit: Callable[[int], None], layout: Layout | None = None
    ) -> None:
        """Emits an op that may carry a clamp; ``emit`` receives the tensor to write to."""
        if node.activation != "unit" or self.numbers.dtype == "int8":
            emit(self.output(node, label, layout))
            return
        # No fused clamp to [0, 1] exists in float.
        shape = device_shape(node.shape, layout)
        value = self.activation(f"{label}_unclamped", shape, node.name)
        emit(value)
        for name, bound in (("MAXIMUM", 0.0), ("MINIMUM", 1.0)):
            limit = self.builder.tensor(
                f"{label}_{name.lower()}", (1,), "float32", data=np.array([bound], np.float32)
            )
            last = name == "MINIMUM"
            target = (
                self.output(node, label, layout)
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
        inputs = [self.fetch(source), widths]
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
            return self.fetch(source), padding.mode
        return self.pad(source, padding.explicit, value), padding.mode
