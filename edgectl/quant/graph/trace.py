"""Float model to :class:`QuantGraph` through ``torch.export``.

The exported program is read call by call (:mod:`edgectl.quant.graph.aten` says what each becomes), then
simplified (:mod:`edgectl.quant.graph.simplify`: batch norm folded, activations and padding fused), then
executed once against the model, so that a wrong translation cannot leave this module.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from edgectl.errors import ArtifactError, UnsupportedOpError
from edgectl.quant.graph.aten import HANDLERS, advice
from edgectl.quant.graph.axes import settle_shape
from edgectl.quant.graph.draft import DraftBuilder, Ref, Value
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.simplify import simplify
from edgectl.spec import Size

_TOLERANCE = 1e-3
"""Largest deviation from the model, relative to the range of that output. Folding rounds in float32."""


def trace(model: nn.Module, input_size: Size, in_chans: int = 3) -> QuantGraph:
    """The graph of ``model`` in evaluation mode; the model itself is left untouched.

    Args:
        model: ``forward((N, in_chans, H, W)) -> tensor, or tuple or list of tensors``.
        input_size: (height, width), pixels.

    Raises:
        UnsupportedOpError: an operation outside the op set; ``where`` is the module's path.
        ArtifactError: the translated graph does not compute what the model computes.
    """
    model = copy.deepcopy(model).eval().cpu().float()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        example = torch.rand((1, in_chans, *input_size))
        program = torch.export.export(model, (example,), strict=False)
        graph = _translate(program)
        _verify(graph, model, tuple(example.shape))
    return graph


def trace_program(program: torch.export.ExportedProgram) -> QuantGraph:
    """The graph of a program that was exported already, of one image.

    Raises what :func:`trace` does.
    """
    shapes = [
        tuple(n.meta["val"].shape)
        for n in program.graph.nodes
        if n.op == "placeholder" and n.name in program.graph_signature.user_inputs
    ]
    if len(shapes) != 1 or len(shapes[0]) != 4 or not all(isinstance(d, int) for d in shapes[0]):
        raise UnsupportedOpError(
            f"inputs {[list(s) for s in shapes]}",
            where="model",
            fix="export it with one static image: (1, 3, H, W)",
        )
    if shapes[0][0] != 1:
        raise UnsupportedOpError(
            f"a batch of {shapes[0][0]}", where="model", fix="export it with a batch of one"
        )
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        graph = _translate(program)
        _verify(graph, program.module(), shapes[0])
    return graph


def _translate(program: torch.export.ExportedProgram) -> QuantGraph:
    constants: dict[str, Any] = {**program.state_dict, **program.constants}
    lifted = {spec.arg.name: spec.target for spec in program.graph_signature.input_specs}
    values: dict[fx.Node, Value | list[Value]] = {}
    builder = DraftBuilder()

    def resolve(argument: Any) -> Any:
        if isinstance(argument, fx.Node):
            return values[argument]
        if isinstance(argument, (list, tuple)):
            return [resolve(a) for a in argument]
        if isinstance(argument, dict):
            return {k: resolve(a) for k, a in argument.items()}
        return argument

    for node in program.graph.nodes:
        if node.op == "placeholder":
            target = lifted[node.name]
            if target is None:
                values[node] = builder.add("input", (), tuple(node.meta["val"].shape))
            else:
                values[node] = constants[target].detach().clone()
        elif node.op == "output":
            return simplify(builder.nodes, _output_names(resolve(node.args[0])))
        elif node.op == "call_function":
            if node.users or _in_place(node):
                builder.origin = _module_path(node)
                values[node] = _call(builder, node, resolve(node.args), resolve(node.kwargs))
            if _in_place(node):
                # Later reads of the mutated tensor see the new value.
                values[node.args[0]] = values[node]
    raise ArtifactError("the exported program has no output")


def _call(
    builder: DraftBuilder, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Value | list[Value]:
    target: Any = node.target
    if target is operator.getitem:
        part: Value = args[0][args[1]]
        return part
    tensors = [a for a in _flat([*args, *kwargs.values()]) if isinstance(a, (Ref, Tensor))]
    if not any(isinstance(a, Ref) for a in tensors):
        constant: Tensor = target(*args, **kwargs)
        return constant
    op = _op_name(node)
    handler = HANDLERS.get(op)
    if handler is None:
        raise UnsupportedOpError(
            f"'{op}' is not in the op set", where=builder.origin or "model", fix=advice(op)
        )
    # a call that returns several tensors names their shapes itself
    builder.describe(tuple(getattr(node.meta["val"], "shape", ())))
    schema = target._schema.arguments
    bound = {
        a.name: args[i] if i < len(args) else kwargs.get(a.name, a.default_value)
        for i, a in enumerate(schema)
    }
    result = handler(builder, bound)
    if isinstance(result, list):
        shapes = [tuple(v.shape) for v in node.meta["val"]]
        return [settle_shape(builder, r, shape) for r, shape in zip(result, shapes, strict=True)]
    return settle_shape(builder, result, tuple(node.meta["val"].shape))


def _op_name(node: fx.Node) -> str:
    """``aten.relu_.default`` -> ``relu``."""
    parts = str(node.target).split(".")
    return parts[1].rstrip("_") if parts[0] == "aten" else parts[0]


def _in_place(node: fx.Node) -> bool:
    parts = str(node.target).split(".")
    return parts[0] == "aten" and parts[1].endswith("_") and not parts[1].startswith("_")


def _module_path(node: fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    entries = list(stack.values())
    return str(entries[-1][0]) if entries else ""


def _flat(arguments: Any) -> list[Any]:
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    if isinstance(arguments, (list, tuple)):
        return [leaf for a in arguments for leaf in _flat(a)]
    return [arguments]


def _output_names(outputs: Any) -> list[str]:
    names = []
    for output in _flat(outputs):
        if not isinstance(output, Ref):
            raise UnsupportedOpError(
                "an output does not depend on the input",
                where="model",
                fix="return only the raw head tensors from forward",
            )
        names.append(output.name)
    return names


def _verify(graph: QuantGraph, model: Callable[[Tensor], Any], size: tuple[int, ...]) -> None:
    """Compares every output with the model's on images that reach the clamps, relative to its own range.

    A large output does not excuse a wrong small one: logits in the hundreds beside probabilities.
    """
    # in 0..1, as a lowered image; and as a normalized one whose bright and dark parts saturate
    examples = (torch.rand(size), 3.0 * torch.randn(size))
    for example in examples:
        expected = _flat(model(example))
        # A network may amplify rounding, untrained ones do: that is not the translation's fault.
        nudged = _flat(model(example * (1.0 + 1e-6 * torch.randn_like(example))))
        results = graph.run(example)
        for name, want, near, got in zip(graph.outputs, expected, nudged, results, strict=True):
            error, noise = (float((want - other).abs().max()) for other in (got, near))
            spread = float(want.max() - want.min())
            limit = _TOLERANCE * spread + 1e-6 * float(want.abs().max()) + 10.0 * noise
            if not error <= limit:
                raise ArtifactError(
                    f"the traced graph differs from the model by {error:.3g} (limit {limit:.3g})",
                    where=graph[name].origin or name,
                    fix="report this network: the translation of one of its operations is wrong",
                )
