"""Memory of the activations: which tensors are alive while each op runs.

A lower bound of what any planner needs, from the op order alone; the interpreter's own figure
(:mod:`edgectl_tflite.runtimes.tflm`) adds scratch buffers, bookkeeping and what its greedy placement loses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.integer.padding import explicit_border
from edgectl_tflite.reader.modelfile import ModelFile


@dataclass(frozen=True)
class Moment:
    """One op in execution. ``live`` are indices of the tensors that exist meanwhile."""

    step: int
    live: frozenset[int]
    nbytes: int


def moments(
    inputs: Sequence[int],
    outputs: Sequence[int],
    ops: Sequence[tuple[Sequence[int], Sequence[int]]],
    nbytes: dict[int, int],
) -> list[Moment]:
    """Liveness of ops ``(input tensors, output tensors)``; ``nbytes`` lists the activations.

    A tensor lives from the op that writes it to the last that reads it; the model's inputs from the
    start, its outputs to the end.
    """
    last = dict.fromkeys(inputs, 0)
    for step, (read, written) in enumerate(ops):
        last.update((i, step) for i in (*read, *written) if i in nbytes)
    last.update(dict.fromkeys(outputs, len(ops)))
    alive = set(inputs)
    result = []
    for step, (_, written) in enumerate(ops):
        alive.update(i for i in written if i in nbytes)
        result.append(Moment(step, frozenset(alive), sum(nbytes[i] for i in alive)))
        alive = {i for i in alive if last[i] > step}
    return result


def live_bytes(graph: QuantGraph) -> dict[str, int]:
    """Bytes alive while each node of an int8 graph is computed, its PAD's copy included."""
    index = {node.name: i for i, node in enumerate(graph)}
    nbytes = {i: math.prod(graph[name].shape) for name, i in index.items()}
    ops: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    owners: list[str] = []
    padded: dict[tuple[str, tuple[int, ...]], int] = {}
    for node in graph:
        inputs = tuple(index[i] for i in node.inputs)
        border = explicit_border(graph, node)
        if border is not None:
            key = (node.inputs[0], border)
            if key not in padded:
                padded[key] = len(nbytes)
                nbytes[padded[key]] = _padded_bytes(graph[node.inputs[0]].shape, border)
                ops.append((inputs, (padded[key],)))
                owners.append(node.name)
            inputs = (padded[key],)
        if node.op != "input":
            ops.append((inputs, (index[node.name],)))
            owners.append(node.name)
    outputs = [index[o] for o in graph.outputs]
    result = {graph.input.name: nbytes[index[graph.input.name]]}
    for owner, moment in zip(
        owners, moments([index[graph.input.name]], outputs, ops, nbytes), strict=True
    ):
        result[owner] = max(result.get(owner, 0), moment.nbytes)
    return result


def _padded_bytes(shape: Sequence[int], border: Sequence[int]) -> int:
    top, bottom, left, right = border
    n, c, h, w = shape
    return n * c * (h + top + bottom) * (w + left + right)


def file_moments(model: ModelFile) -> list[Moment]:
    """Liveness of a file's first subgraph."""
    nbytes = {t.index: t.nbytes for t in model.tensors if t.data is None}
    ops = [(op.inputs, op.outputs) for op in model.operations]
    return moments(model.inputs, model.outputs, ops, nbytes)


def peak_report(model: ModelFile, count: int = 3) -> dict[str, Any]:
    """The largest moments, largest first: op, bytes and the tensors alive, for the manifest."""
    ranked = sorted(file_moments(model), key=lambda m: (-m.nbytes, m.step))
    return {
        "live_bytes": ranked[0].nbytes,
        "moments": [
            {
                "op": model.operations[m.step].name,
                "output": model.label(model.operations[m.step].outputs[0]),
                "live_bytes": m.nbytes,
                "tensors": [
                    {
                        "name": model.label(i),
                        "shape": list(model.tensors[i].shape),
                        "bytes": model.tensors[i].nbytes,
                    }
                    for i in sorted(m.live, key=lambda i: -model.tensors[i].nbytes)
                ],
            }
            for m in ranked[:count]
        ],
    }
