"""An ONNX file as a graph that can be quantized, and what is left of it as a float tail.

The body is what :mod:`edgectl.quant.graph.onnx_ops` can say. What comes behind the first operation it cannot,
and what only rearranges or squashes at the end (concatenations, reshapes, sigmoids), becomes ``tail``: a
model that takes the body's outputs and gives the file's own. Nothing in a file is executed but its operators.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from edgectl.errors import ArtifactError, DependencyError, UnsupportedOpError, UsageError
from edgectl.quant.graph.axes import settle_shape
from edgectl.quant.graph.draft import DraftBuilder, Ref, Value
from edgectl.quant.graph.onnx_load import find_input, load_onnx, make_static
from edgectl.quant.graph.onnx_ops import HANDLERS, Call, as_tensor
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.simplify import simplify
from edgectl.spec import Size

if TYPE_CHECKING:
    import onnx

_PEELED = frozenset(
    {
        "Concat",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Sigmoid",
        "Softmax",
        "Identity",
    }
)
"""At an output: raw heads keep a scale each, and the tail costs the host next to nothing."""

_REARRANGES = frozenset(
    {"Concat", "Reshape", "Flatten", "Transpose", "Slice", "Split", "Gather", "Expand"}
)
_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_FEW = 64
"""Weights of what counts as arithmetic of a decoder: YOLOv8 averages sixteen bins by a convolution."""


@dataclass(frozen=True)
class Verdict:
    """What became of one operation: it ``runs``, or is ``cut``, with the reason and the way out."""

    op: str
    name: str
    verdict: str
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True)
class OnnxNetwork:
    """A file that was read.

    Attributes:
        graph: the body, NCHW, one input.
        heads: ONNX names of the graph's outputs, in order.
        model: the whole file, static and simplified, for comparison.
        tail: from ``heads`` to the file's outputs; None where they are the same.
        channels_last: the file's own input is NHWC.
    """

    graph: QuantGraph
    heads: tuple[str, ...]
    model: onnx.ModelProto
    tail: onnx.ModelProto | None
    channels_last: bool
    verdicts: tuple[Verdict, ...]


def read_onnx(
    path: Path, input_size: Size | None = None, *, outputs: Sequence[str] = ()
) -> OnnxNetwork:
    """Reads, makes static, simplifies and translates a file.

    Args:
        input_size: (height, width); needed where the file leaves them open.
        outputs: tensors to cut at, instead of where the first operation is that cannot be quantized.

    Raises:
        DependencyError: onnx or onnxsim is not installed.
        ArtifactError: not an ONNX file, or one that contradicts itself.
        UsageError: the size is open and not given, or not the file's; no such tensor.
        UnsupportedOpError: no operation of it could be translated, or it has several inputs.
    """
    model = load_onnx(path)
    entry, channels_last, shape = find_input(model, path, input_size)
    own = [o.name for o in model.graph.output]
    keep_tensors(model, outputs, path)
    model = make_static(model, entry, shape, path)
    require_tensors(model, outputs, path)
    extra = [o for o in model.graph.output if o.name not in own]
    for output in extra:
        model.graph.output.remove(output)
    model.graph.value_info.extend(extra)
    try:
        network = _translate_retrying(model, entry, channels_last, path, tuple(outputs))
        _require_runnable(network.graph)
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError, AttributeError) as e:
        first = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise ArtifactError(
            f"contradicts itself: {first}", where=str(path), fix="export the file again"
        ) from e
    return network


def _translate_retrying(
    model: onnx.ModelProto, entry: str, channels_last: bool, path: Path, cut_at: tuple[str, ...]
) -> OnnxNetwork:
    refused: dict[str, UnsupportedOpError] = {}
    while True:
        try:
            return _Translation(model, entry, channels_last, path, cut_at, refused).result()
        except UnsupportedOpError as e:
            # known only once its readers are: what means nothing without them is cut
            place = e.where or ""
            if place in refused or place not in map(_path_of, model.graph.node):
                raise
            refused[place] = e


def _require_runnable(graph: QuantGraph) -> None:
    """Runs the body once. Raises ValueError, RuntimeError where the shapes a file states are not those it
    computes."""
    import torch

    with torch.no_grad():
        outputs = graph.run(torch.zeros(graph.input.shape))
    for name, output in zip(graph.outputs, outputs, strict=True):
        if tuple(output.shape) != tuple(graph[name].shape):
            raise ValueError(
                f"{graph[name].origin or name} is stated as {list(graph[name].shape)} "
                f"and computes {list(output.shape)}"
            )


@dataclass
class _Translation:
    """The walk over a file's nodes."""

    model: onnx.ModelProto
    entry: str
    channels_last: bool
    path: Path
    cut_at: tuple[str, ...] = ()
    refused: Mapping[str, UnsupportedOpError] = field(default_factory=dict)
    builder: DraftBuilder = field(default_factory=DraftBuilder)
    values: dict[str, Value] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    verdicts: list[Verdict] = field(default_factory=list)

    def result(self) -> OnnxNetwork:
        """Translates, cuts, and takes the rest as the tail."""
        from onnx import numpy_helper

        graph = self.model.graph
        self.opset = max(
            (o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx")), default=13
        )
        self.shapes = {
            v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
            for v in [*graph.value_info, *graph.output, *graph.input]
        }
        for tensor in graph.initializer:
            self.values[tensor.name] = as_tensor(numpy_helper.to_array(tensor))
        shape = self.shapes[self.entry]
        if self.channels_last:
            shape = (shape[0], shape[3], shape[1], shape[2])
        self.values[self.entry] = self.builder.add("input", (), shape)
        needed = self._needed()
        for node in graph.node:
            if needed is not None and not needed.intersection(node.output):
                self._cut(node, "behind the outputs named")
            else:
                self._translate(node)
        if needed is None:
            self._peel()
        heads = self._heads()
        # windows in the place of a batch: the file's tensor has no axis for the images of one
        while folded := {h for h in heads if self._ref(h).folded}:
            for node in graph.node:
                if folded & set(node.output):
                    self._cut(node, "behind the heads")
            heads = self._heads()
        names = [self._ref(h).name for h in heads]
        body = simplify(self.builder.nodes, names)
        outputs = [o.name for o in graph.output]
        tail = None if list(heads) == outputs else self._tail(heads, outputs)
        return OnnxNetwork(
            body, tuple(heads), self.model, tail, self.channels_last, tuple(self.verdicts)
        )

    def _needed(self) -> set[str] | None:
        """Tensors the named outputs depend on; None where none are named."""
        if not self.cut_at:
            return None
        needed = set(self.cut_at)
        for node in reversed(self.model.graph.node):
            if needed.intersection(node.output):
                needed.update(node.input)
        return needed

    def _ref(self, name: str) -> Ref:
        value = self.values[name]
        assert isinstance(value, Ref)
        return value

    def _peel(self) -> None:
        """Cuts what only rearranges or squashes between the last layers and the outputs or the tail."""
        graph = self.model.graph
        outputs = {o.name for o in graph.output}
        behind = self._behind()
        readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        for node in reversed(graph.node):
            (result, *others) = node.output
            read = [r for o in node.output for r in readers.get(o, [])]
            ends = all(set(r.output) <= self.dead for r in read) and (read or result in outputs)
            decodes = (node.op_type in _PEELED and not others) or result in behind
            if decodes and ends and self._computed(node):
                self._cut(node, "behind the heads")

    def _computed(self, node: onnx.NodeProto) -> bool:
        """Whether it is in the body, and depends on the image."""
        return all(o not in self.dead for o in node.output) and any(
            isinstance(self.values.get(o), Ref) for o in node.output
        )

    def _averages(self, node: onnx.NodeProto) -> bool:
        """A convolution or product with one short row of weights: a decoder's arithmetic."""
        weight = self.values.get(node.input[1])
        if (
            not isinstance(weight, Tensor)
            or node.op_type not in ("Conv", "MatMul")
            or weight.numel() > _FEW
        ):
            return False
        return weight.shape[0 if node.op_type == "Conv" else -1] == 1

    def _behind(self) -> set[str]:
        """Tensors between the last layers and the outputs behind a rearrangement: a decoder's."""
        found: set[str] = set()
        for node in self.model.graph.node:
            if node.op_type in _LAYERS and not self._averages(node):
                continue
            if node.op_type in _REARRANGES or any(i in found for i in node.input):
                found.update(node.output)
        return found

    def _cut(self, node: onnx.NodeProto, reason: str, fix: str = "") -> None:
        self.dead.update(node.output)
        name = _path_of(node)
        self.verdicts = [v for v in self.verdicts if v.name != name]
        self.verdicts.append(Verdict(node.op_type, name, "cut", reason, fix))

    def _translate(self, node: onnx.NodeProto) -> None:
        name = _path_of(node)
        if any(i in self.dead for i in node.input):
            self._cut(node, "behind the heads")
            return
        if node.op_type == "Constant":
            self.values[node.output[0]] = _constant_of(node)
            return
        if self.channels_last and node.op_type == "Transpose" and node.input[0] == self.entry:
            self.values[node.output[0]] = self.values[self.entry]
            return
        try:
            results = self._call(node, name)
        except UnsupportedOpError as e:
            self._cut(node, e.message, e.fix or "")
            return
        self.values.update(zip(node.output, results, strict=False))
        self.verdicts.append(Verdict(node.op_type, name, "runs"))

    def _call(self, node: onnx.NodeProto, name: str) -> Sequence[Value]:
        self.builder.origin = name
        if name in self.refused:
            raise self.refused[name]
        if self.channels_last and self.entry in node.input:
            raise self.builder.refuse(
                "an input with channels last that is not transposed first", "export as NCHW"
            )
        handler = HANDLERS.get(node.op_type)
        if handler is None:
            raise self.builder.refuse(f"'{node.op_type}' is not in the op set", _way_out())
        shapes = [self.shapes.get(o, ()) for o in node.output]
        inputs = [self.values.get(i) if i else None for i in node.input]
        if not all(shapes) or any(0 in s for s in shapes):
            raise self.builder.refuse("a result whose shape is not known", "export it static")
        self.builder.describe(shapes[0])
        call = Call(node.op_type, inputs, _attributes(node), shapes, self.opset)
        before = len(self.builder.nodes)
        try:
            result = handler(self.builder, call)
        except (KeyError, IndexError, ValueError, TypeError, RuntimeError, AttributeError) as e:
            del self.builder.nodes[before:]
            raise self.builder.refuse(
                f"'{node.op_type}' with attributes or inputs that contradict each other ({e})",
                "export the file again",
            ) from e
        except UnsupportedOpError:
            del self.builder.nodes[before:]
            raise
        results = result if isinstance(result, list) else [result]
        return [settle_shape(self.builder, r, s) for r, s in zip(results, shapes, strict=False)]

    def _heads(self) -> list[str]:
        """Tensors of the body that the tail or the file's outputs read, in the file's order."""
        graph = self.model.graph
        wanted = {o.name for o in graph.output}
        for node in graph.node:
            if any(o in self.dead for o in node.output):
                wanted.update(node.input)
        order = [self.entry, *(o for n in graph.node for o in n.output)]
        heads = [
            o for o in order if o in wanted - self.dead and isinstance(self.values.get(o), Ref)
        ]
        made = [h for h in heads if h != self.entry]
        if not made or len(made) != len(heads):
            first = next((v for v in self.verdicts if v.verdict == "cut" and v.fix), None)
            raise UnsupportedOpError(
                f"the network cannot be quantized: {first.name + ': ' if first else ''}"
                f"{first.reason if first else 'no output depends on its image'}",
                where=str(self.path),
                fix=first.fix if first else _way_out(),
            )
        return made

    def _tail(self, heads: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
        import onnx.utils

        tail: onnx.ModelProto = onnx.utils.Extractor(self.model).extract_model(
            list(heads), list(outputs)
        )
        return tail


def keep_tensors(model: onnx.ModelProto, names: Sequence[str], path: Path) -> None:
    """Makes tensors outputs, so that simplifying keeps them. Raises UsageError for one that is not there."""
    import onnx

    require_tensors(model, names, path)
    there = {o.name for o in model.graph.output}
    shaped = {v.name: v for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    for name in names:
        if name in there:
            continue
        if name not in shaped:
            raise UsageError(f"the shape of '{name}' is not known", where=str(path))
        model.graph.output.append(shaped[name])


def require_tensors(model: onnx.ModelProto, names: Sequence[str], path: Path) -> None:
    """Raises UsageError for a name no operation of the file gives its result."""
    made = {o for n in model.graph.node for o in n.output}
    for name in names:
        if name not in made:
            near = difflib.get_close_matches(name, sorted(made), n=3)
            raise UsageError(
                f"no tensor '{name}'",
                where=str(path),
                fix=f"near: {', '.join(near)}" if near else "names as Netron shows them",
            )


def extract_body(network: OnnxNetwork) -> onnx.ModelProto:
    """From the file's input to the heads."""
    import onnx.utils

    entry = network.model.graph.input[0].name
    body: onnx.ModelProto = onnx.utils.Extractor(network.model).extract_model(
        [entry], list(network.heads)
    )
    return body


def _path_of(node: onnx.NodeProto) -> str:
    """``/backbone/stem/Conv`` as ``backbone.stem.Conv``."""
    name: str = node.name or node.output[0]
    return name.strip("/").replace("/", ".")


def _constant_of(node: onnx.NodeProto) -> Tensor:
    import numpy as np
    from onnx import numpy_helper

    (value,) = _attributes(node).values()
    return as_tensor(numpy_helper.to_array(value) if hasattr(value, "dims") else np.array(value))


def _way_out() -> str:
    return "name earlier outputs: --outputs NAME,NAME; what comes behind them runs on the host"


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def compute_heads(network: OnnxNetwork, images: Tensor) -> list[Tensor]:
    """The body's outputs as onnxruntime computes them from the file. images: (N, C, H, W) float32.

    Raises DependencyError where onnxruntime is not installed.
    """
    import torch

    try:
        import onnxruntime
    except ImportError as e:
        raise DependencyError(
            "comparing with the file needs onnxruntime", fix="pip install 'edgectl[onnx]'"
        ) from e
    entry = network.model.graph.input[0].name
    body = extract_body(network)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        body.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    layout = images.permute(0, 2, 3, 1) if network.channels_last else images
    rows = [session.run(list(network.heads), {entry: x[None].numpy()}) for x in layout.contiguous()]
    return [torch.cat([torch.from_numpy(r[i]) for r in rows]) for i in range(len(network.heads))]
