"""QuantizedGraph to an int8 awnn file: ncnn's text with defaults left out, one layer an activation.

A clamp at 6 or 1 needs no kernel of its own where the tensor's int8 range ends there: saturation is
the clamp. Convolution and ReLU then share their scale, so the ReLU's multiplier is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import Node
from edgectl.quant.quantized import QuantizedGraph
from edgectl_ncnn.awnn import fields
from edgectl_ncnn.awnn.capabilities import place
from edgectl_ncnn.awnn.fields import CPU, NPU, placement, requantization
from edgectl_ncnn.awnn.grid import file_scale, unrepresentable, weight_fields
from edgectl_ncnn.awnn.order import to_npu
from edgectl_ncnn.awnn.requantize import bias_fields, multiplier, sum_fields
from edgectl_ncnn.reader.binfile import Block
from edgectl_ncnn.reader.layers import Slot
from edgectl_ncnn.reader.modelfile import ModelFile
from edgectl_ncnn.reader.paramfile import Layer, Value, make_layer
from edgectl_ncnn.writer.numbers import FloatNumbers
from edgectl_ncnn.writer.splits import insert_splits

INPUT = "input0"
_LIMITS = {"relu6": 6.0, "unit": 1.0}
_QMAX = 127

Params = dict[int, Value]


def output_names(count: int) -> list[str]:
    """By convention of the board's runtime."""
    return [f"output{i}" for i in range(count)]


def build_model(quantized: QuantizedGraph) -> ModelFile:
    """The int8 file.

    Raises:
        ArtifactError: an op without a kernel, or a ratio of scales no multiplier stands for.
    """
    graph = quantized.graph
    writer = _Writer(quantized)
    for node in graph:
        try:
            writer.emit(node)
        except ValueError as e:
            raise unrepresentable(node, e) from e
    outputs = zip(graph.outputs, output_names(len(graph.outputs)), strict=True)
    layers = insert_splits(writer.layers, [(writer.blobs[o], name) for o, name in outputs])
    layers = [writer.placed_split(x) if x.type == "Split" else x for x in layers]
    return ModelFile(tuple(layers), tuple(writer.blocks.get(x.name, ()) for x in layers))


class _Writer:
    """``blobs``: graph tensor -> blob; ``scales``: blob -> 127 / threshold, as float32."""

    def __init__(self, quantized: QuantizedGraph) -> None:
        self.quantized = quantized
        self.graph = quantized.graph
        self.layers: list[Layer] = []
        self.blocks: dict[str, tuple[Block, ...]] = {}
        self.blobs: dict[str, str] = {}
        self.scales: dict[str, float] = {}

    def emit(self, node: Node) -> None:
        where = place(self.graph, node)
        if where.device is None or node.op not in _WRITERS:
            raise ArtifactError(
                f"no kernel for {where.what}", where=node.origin or node.name, fix=where.fix
            )
        _WRITERS[node.op](self, node)
        self._activate(node)

    def scale(self, tensor: str) -> float:
        """Return the scale of a graph tensor."""
        return file_scale(self.quantized, tensor)

    def add(
        self,
        type_: str,
        node: Node,
        params: Params,
        *,
        device: int = NPU,
        inputs: Sequence[str] | None = None,
        suffix: str = "",
    ) -> None:
        """Appends a layer that writes the node's tensor, after what wrote it so far."""
        read = [self.blobs[i] for i in node.inputs] if inputs is None else list(inputs)
        blob = INPUT if node.op == "input" else node.name + suffix
        scale = self.scale(node.name)
        where: Params = placement(device, [scale])
        self.layers.append(make_layer(type_, node.name + suffix, read, [blob], {**params, **where}))
        self.blobs[node.name], self.scales[blob] = blob, scale

    def placed_split(self, layer: Layer) -> Layer:
        """All copies have the scale of what they copy."""
        scales = [self.scales[layer.inputs[0]]] * len(layer.outputs)
        params = make_layer("Split", "", (), (), placement(NPU, scales)).params
        return replace(layer, params=params)

    def _activate(self, node: Node) -> None:
        if node.activation is None:
            return
        inputs = [self.blobs[node.name]]
        self.add(
            "ReLU",
            node,
            requantization(multiplier(1.0), fields.RELU),
            inputs=inputs,
            suffix="_relu",
        )
        limit = _LIMITS.get(node.activation)
        if limit is not None and round(limit * self.scale(node.name)) < _QMAX:
            inputs = [self.blobs[node.name]]
            clip: Params = {0: 0.0, 1: limit}
            self.add("Clip", node, clip, device=CPU, inputs=inputs, suffix="_clip")


def _input(w: _Writer, node: Node) -> None:
    _, channels, height, width = node.shape
    # the makers' converter writes a number of unknown meaning as the input's device; others write 0
    w.add("Input", node, {0: width, 1: height, 2: channels}, device=0, inputs=())


def _sides(*keys: tuple[int, int, int, int, int]) -> Params:
    """(key, second key, value, second value, default): second keys default to the first's value."""
    params: Params = {}
    for key, second, x, y, default in keys:
        if x != default:
            params[key] = x
        if y != x:
            params[second] = y
    return params


def _geometry(node: Node) -> Params:
    assert node.weight is not None
    (kernel_h, kernel_w), a = node.weight.shape[2:], node.attrs
    top, bottom, left, right = a["padding"]
    return _sides(
        (1, 11, kernel_w, kernel_h, 0),
        (2, 12, a["dilation"][1], a["dilation"][0], 1),
        (3, 13, a["stride"][1], a["stride"][0], 1),
        (4, 14, left, top, 0),
    ) | ({15: right, 16: bottom} if (left, top) != (right, bottom) else {})


def _conv(w: _Writer, node: Node) -> None:
    assert node.weight is not None
    params: Params = {0: node.weight.shape[0], **_geometry(node), 5: 1, 6: node.weight.numel()}
    if place(w.graph, node).device == CPU:
        w.blocks[node.name] = tuple(FloatNumbers().blocks(node))
        params[7] = node.attrs["groups"]
        w.add("ConvolutionDepthWise", node, params, device=CPU)
    else:
        _integers(w, node, "Convolution", params, node.weight.shape)


def _linear(w: _Writer, node: Node) -> None:
    assert node.weight is not None
    source = w.graph[node.inputs[0]]
    if source.op == "reshape":
        source = w.graph[source.inputs[0]]
    window = source.shape[1:] if len(source.shape) == 4 else (source.shape[1], 1, 1)
    out = node.weight.shape[0]
    params: Params = {0: out, 1: 1, 2: node.weight.numel()}
    _integers(w, node, "InnerProduct", params, (out, *window))


def _integers(w: _Writer, node: Node, type_: str, params: Params, shape: Sequence[int]) -> None:
    assert node.bias is not None
    g = weight_fields(w.quantized, node)
    integers = w.quantized.integer_weight(node).reshape(shape)
    accumulator = node.bias.double().cpu().numpy() * w.scale(node.inputs[0]) / g.steps
    bias = bias_fields(accumulator)
    params = {**params, **requantization(g.output, fields.PLAIN), 24: 2, 25: 1}
    if bias.scale is not None:
        params |= {fields.BIAS_MULT: bias.scale.mult, fields.BIAS_SHIFT: bias.scale.shift}
    values = {"weight": to_npu(integers), "bias": bias.values, "factor": g.factors}
    w.blocks[node.name] = tuple(Block(Slot(k, v.size, tagged=True), v) for k, v in values.items())
    w.add(type_, node, params)


def _add(w: _Writer, node: Node) -> None:
    a, b = (w.scale(i) for i in node.inputs)
    f = sum_fields((a, b), w.scale(node.name))
    params: Params = {0: 1, **requantization(f.output)}
    params |= {fields.OTHER_MULT: f.other.mult, fields.OTHER_SHIFT: f.other.shift}
    if f.base == 0:
        params[fields.BASE] = 1
    w.add("Eltwise", node, params)


def _pool(kind: int) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        a = node.attrs
        top, bottom, left, right = a["padding"]
        params: Params = {0: kind} if kind else {}
        params |= _sides(
            (1, 11, a["kernel"][1], a["kernel"][0], 0),
            (2, 12, a["stride"][1], a["stride"][0], 1),
            (3, 13, left, top, 0),
        )
        if (left, top) != (right, bottom):
            params |= {14: right, 15: bottom}
        w.add("Pooling", node, {**params, 5: 1, **_rescaled(w, node)})

    return write


def _mean(w: _Writer, node: Node) -> None:
    w.add("Pooling", node, {0: 1, 4: 1, **_rescaled(w, node)})


def _rescaled(w: _Writer, node: Node) -> Params:
    return requantization(multiplier(w.scale(node.name) / w.scale(node.inputs[0])))


def _upsample(w: _Writer, node: Node) -> None:
    factor = float(node.attrs["factor"])
    w.add("Interp", node, {0: 1, 1: factor, 2: factor})


def _dropped(w: _Writer, node: Node) -> None:
    """Flattening: the fully connected layer takes the map as it is."""
    w.blobs[node.name] = w.blobs[node.inputs[0]]


_WRITERS: dict[str, Callable[[_Writer, Node], None]] = {
    "input": _input,
    "conv": _conv,
    "linear": _linear,
    "add": _add,
    "concat": lambda w, node: w.add("Concat", node, {}),
    "softmax": lambda w, node: w.add("Softmax", node, {0: 0, 1: 1}, device=CPU),
    "mean": _mean,
    "max_pool": _pool(0),
    "avg_pool": _pool(1),
    "upsample": _upsample,
    "reshape": _dropped,
}
