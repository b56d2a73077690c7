"""Where the quantisation error comes from, layer by layer, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from edgectl.quant.graph import Node, QuantGraph, execute
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges import bounds
from edgectl.quant.simulate import Simulator, simulate
from edgectl.quant.sqnr import relative_error, sqnr_db

__all__ = ["LayerError", "layer_errors", "relative_error", "sqnr_db", "worst_layers"]

_WIDE_RANGE = 32.0
"""Wider than that, an int8 step exceeds 1/8: coarse for anything that feeds a sigmoid or SiLU."""


@dataclass(frozen=True)
class LayerError:
    """One tensor of the graph.

    Attributes:
        name, op, origin: of its node.
        alone_db: SQNR of the worst head when only this tensor and its weights are rounded.
        cumulative_db: SQNR of this tensor when everything is rounded.
        lo, hi: the range its integers cover.
    """

    name: str
    op: str
    origin: str
    alone_db: float
    cumulative_db: float
    lo: float
    hi: float
    advice: str = ""


def layer_errors(
    quantized: QuantizedGraph, x: Tensor, reference: QuantGraph | None = None
) -> list[LayerError]:
    """One entry a node, in topological order.

    Args:
        x: (N, C, H, W) pictures in the lowered domain; a handful is enough.
        reference: float graph to compare with; the quantised graph's own float weights when None.
            Those contain the bias correction, which then counts as an error.
    """
    graph = reference or quantized.graph
    simulator = Simulator(replace(quantized, graph=graph))
    float_taps: dict[str, Tensor] = {}
    rounded_taps: dict[str, Tensor] = {}
    with torch.no_grad():
        heads = graph.run(x, float_taps)
    simulate(quantized, x, rounded_taps)
    result = []
    for node in graph:
        known = _before(graph, node, float_taps)
        outputs = _round_one(simulator, node, x, known)
        lo, hi = bounds(quantized.activations[node.name], quantized.scheme)
        entry = LayerError(
            node.name,
            node.op,
            node.origin,
            min(sqnr_db(h, o) for h, o in zip(heads, outputs, strict=True)),
            sqnr_db(float_taps[node.name], rounded_taps[node.name]),
            lo,
            hi,
        )
        result.append(replace(entry, advice=_advice(graph, entry)))
    return result


def worst_layers(errors: list[LayerError], count: int = 5) -> list[LayerError]:
    """The tensors that cost the heads most on their own, worst first."""
    return sorted(errors, key=lambda e: e.alone_db)[:count]


def _before(graph: QuantGraph, node: Node, taps: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor that does not depend on ``node``."""
    stale = {node.name}
    for other in graph:
        if stale.intersection(other.inputs):
            stale.add(other.name)
    return {k: v for k, v in taps.items() if k not in stale}


def _round_one(
    simulator: Simulator, target: Node, x: Tensor, known: dict[str, Tensor]
) -> list[Tensor]:
    def step(node: Node, inputs: list[Tensor]) -> Tensor:
        if node is not target:
            return x if node.op == "input" else execute(node, inputs, node.weight, node.bias)
        y = x if node.op == "input" else simulator.compute(node, inputs)
        return simulator.round(node, y)

    with torch.no_grad():
        return simulator.graph.evaluate(step, known=known)


def _advice(graph: QuantGraph, entry: LayerError) -> str:
    """A remedy where the structure around a tensor suggests one; empty otherwise."""
    readers = {r.op for r in graph.consumers(entry.name)}
    if entry.op == "mul" and "sigmoid" in {graph[i].op for i in graph[entry.name].inputs}:
        return "SiLU output: act_layer relu6 quantises without loss"
    if "sigmoid" in readers and "mul" in readers and entry.hi - entry.lo > _WIDE_RANGE:
        return "wide input of a SiLU: train with act_layer relu6, or run 'edgectl qat'"
    if entry.hi - entry.lo > _WIDE_RANGE:
        return "wide range: run 'edgectl qat', which learns to narrow it"
    return ""
