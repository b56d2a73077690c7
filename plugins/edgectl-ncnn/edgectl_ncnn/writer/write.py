"""QuantGraph to ncnn layers, float or int8. Keys: https://github.com/Tencent/ncnn/wiki/operation-param-weight-table"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl_ncnn.reader.binfile import Block
from edgectl_ncnn.reader.modelfile import ModelFile
from edgectl_ncnn.reader.paramfile import Layer, Value, make_layer
from edgectl_ncnn.writer.numbers import FloatNumbers, Int8Numbers, Numbers
from edgectl_ncnn.writer.splits import insert_splits

INPUT = "in0"

_CLIP = {"relu6": 6.0, "unit": 1.0}
_CHANNELS = 0
_AVERAGE, _VALID = 1, 1


def build_model(
    graph: QuantGraph | QuantizedGraph,
    outputs: Sequence[str],
    *,
    half: bool = False,
    input_name: str = INPUT,
) -> ModelFile:
    """A float file of a :class:`QuantGraph`, an int8 file of a :class:`QuantizedGraph`.

    Args:
        outputs: blob names of the graph's outputs, in order.
        half: float weights in 16 bits.

    Raises:
        ArtifactError: an op that cannot be written.
    """
    numbers: Numbers = FloatNumbers(half=half)
    if isinstance(graph, QuantizedGraph):
        numbers = Int8Numbers(graph)
        graph = graph.graph
    writer = _Writer(graph, numbers, input_name)
    for node in graph:
        writer.emit(node)
    layers = insert_splits(
        writer.layers,
        [(writer.blobs[o], name) for o, name in zip(graph.outputs, outputs, strict=True)],
    )
    return ModelFile(tuple(layers), tuple(writer.blocks.get(layer.name, ()) for layer in layers))


class _Writer:
    """Layers whose blobs may still have several readers; ``blobs``: graph tensor -> blob."""

    def __init__(self, graph: QuantGraph, numbers: Numbers, input_name: str) -> None:
        self.graph = graph
        self.numbers = numbers
        self.layers: list[Layer] = []
        self.blocks: dict[str, tuple[Block, ...]] = {}
        self.blobs: dict[str, str] = {graph.input.name: input_name}
        self._fused = _swish_sigmoids(graph)

    def emit(self, node: Node) -> None:
        if node.name in self._fused:
            return
        write = _WRITERS.get(node.op)
        if write is None:
            raise ArtifactError(
                f"'{node.op}' has no ncnn layer here", where=node.origin or node.name
            )
        write(self, node)

    def add(
        self,
        type_: str,
        node: Node,
        params: dict[int, Value] | None = None,
        *,
        inputs: Sequence[str] | None = None,
    ) -> None:
        """Appends a layer that writes the node's tensor, after what wrote it so far."""
        read = [self.blobs[i] for i in node.inputs] if inputs is None else list(inputs)
        count = sum(layer.name.split("#")[0] == node.name for layer in self.layers)
        name = f"{node.name}#{count}" if count else node.name
        blob = self.blobs[node.name] if node.op == "input" else name
        self.layers.append(make_layer(type_, name, read, [blob], params))
        self.blobs[node.name] = blob

    def clamp(self, node: Node) -> None:
        """The fused activation of an op that ncnn has none for."""
        if node.activation == "relu":
            self.add("ReLU", node, inputs=[self.blobs[node.name]])
        elif node.activation:
            upper = _CLIP[node.activation]
            self.add("Clip", node, {0: 0.0, 1: upper}, inputs=[self.blobs[node.name]])


def _swish_sigmoids(graph: QuantGraph) -> set[str]:
    """Sigmoids that only gate their own input: ``x * sigmoid(x)`` is one layer."""
    return {
        node.name
        for node in graph
        if node.op == "sigmoid"
        and node.name not in graph.outputs
        and len(readers := graph.consumers(node.name)) == 1
        and readers[0].op == "mul"
        and set(readers[0].inputs) == {node.name, node.inputs[0]}
    }


def _activation(node: Node) -> dict[int, Value]:
    if node.activation == "relu":
        return {9: 1}
    if node.activation:
        return {9: 3, 10: [0.0, _CLIP[node.activation]]}
    return {}


def _weighted(w: _Writer, node: Node, type_: str, params: dict[int, Value]) -> None:
    term = w.numbers.int8_term(node)
    params = {**params, **({8: term} if term else {}), **_activation(node)}
    w.blocks[node.name] = tuple(w.numbers.blocks(node))
    w.add(type_, node, params)


def _input(w: _Writer, node: Node) -> None:
    _, channels, height, width = node.shape
    w.add("Input", node, {0: width, 1: height, 2: channels}, inputs=())


def _conv(w: _Writer, node: Node) -> None:
    assert node.weight is not None
    out, _, kernel_h, kernel_w = node.weight.shape
    a = node.attrs
    top, bottom, left, right = a["padding"]
    params: dict[int, Value] = {
        0: out, 1: kernel_w, 11: kernel_h, 2: a["dilation"][1], 12: a["dilation"][0],
        3: a["stride"][1], 13: a["stride"][0], 4: left, 14: top, 15: right, 16: bottom,
        5: 1, 6: node.weight.numel(),
    }  # fmt: skip
    if a["groups"] == 1:
        _weighted(w, node, "Convolution", params)
    else:
        _weighted(w, node, "ConvolutionDepthWise", {**params, 7: a["groups"]})


def _linear(w: _Writer, node: Node) -> None:
    assert node.weight is not None
    params: dict[int, Value] = {0: node.weight.shape[0], 1: 1, 2: node.weight.numel()}
    _weighted(w, node, "InnerProduct", params)


def _binary(code: int) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        gates = [i for i in node.inputs if i in w._fused]
        if gates:
            (x,) = (i for i in node.inputs if i not in gates)
            w.add("Swish", node, inputs=[w.blobs[x]])
        else:
            w.add("BinaryOp", node, {0: code})
        w.clamp(node)

    return write


def _pool(code: int) -> Callable[[_Writer, Node], None]:
    def write(w: _Writer, node: Node) -> None:
        a = node.attrs
        top, bottom, left, right = a["padding"]
        w.add("Pooling", node, {
            0: code, 1: a["kernel"][1], 11: a["kernel"][0], 2: a["stride"][1], 12: a["stride"][0],
            3: left, 13: top, 14: right, 15: bottom, 5: _VALID, 6: 0,
        })  # fmt: skip

    return write


def _mean(w: _Writer, node: Node) -> None:
    w.add("Pooling", node, {0: _AVERAGE, 4: 1})
    # ncnn pools to one dimension, which is what a flattening reader wants.
    readers = w.graph.consumers(node.name)
    if node.name in w.graph.outputs or any(r.op != "reshape" for r in readers):
        w.add("Reshape", node, {0: 1, 1: 1, 2: node.shape[1]}, inputs=[w.blobs[node.name]])


def _upsample(w: _Writer, node: Node) -> None:
    factor = float(node.attrs["factor"])
    w.add("Interp", node, {0: 1, 1: factor, 2: factor})


def _pad(w: _Writer, node: Node) -> None:
    top, bottom, left, right = node.attrs["padding"]
    value = float(node.attrs["value"])
    w.add("Padding", node, {0: top, 1: bottom, 2: left, 3: right, 4: 0, 5: value})


def _reshape(w: _Writer, node: Node) -> None:
    # ncnn counts from the innermost dimension and has no batch
    w.add("Reshape", node, dict(enumerate(reversed(node.shape[1:]))))


_WRITERS: dict[str, Callable[[_Writer, Node], None]] = {
    "input": _input,
    "conv": _conv,
    "linear": _linear,
    "add": _binary(0),
    "mul": _binary(2),
    "concat": lambda w, node: w.add("Concat", node, {0: _CHANNELS}),
    "sigmoid": lambda w, node: w.add("Sigmoid", node),
    "softmax": lambda w, node: w.add("Softmax", node, {0: _CHANNELS, 1: 1}),
    "mean": _mean,
    "max_pool": _pool(0),
    "avg_pool": _pool(_AVERAGE),
    "upsample": _upsample,
    "pad": _pad,
    "reshape": _reshape,
}
