"""What rounding each tensor costs: at the tensor itself, at the heads alone, and among all the others.

The effect of one tensor alone is first estimated for all of them at once, from one backward pass, and then
simulated for those that matter: everything else stays in float.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, execute
from edgectl.quant.head_distance import HeadMeasure, HeadRole
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.ranges import RangeGroup, bounds, range_groups
from edgectl.quant.simulate import Simulator, fake_quantize, rounds_input

_SIMULATED = 24
"""Tensors whose effect is simulated: by far the most of the error, as a rule."""


@dataclass
class Effect:
    """Of rounding one tensor.

    Attributes:
        signal, noise: sums of squares of its values, and of what rounding alone does to them.
        clipped, count: values outside of the range, and all of them.
        estimated: error at the heads where only this tensor is rounded, for small errors.
        isolated: the same, simulated where it matters.
        cumulative: noise over signal of the tensor where all before it is rounded as well.
        lo, hi: (C,) extremes.
    """

    lo: Tensor
    hi: Tensor
    signal: float = 0.0
    noise: float = 0.0
    clipped: int = 0
    count: int = 0
    estimated: float = 0.0
    isolated: float = 0.0
    cumulative: float = 0.0


@dataclass(frozen=True)
class Effects:
    """Of a whole graph.

    Attributes:
        tensors: by name, of every tensor that is rounded to a range of its own choice.
        activations, weights, both: error at the heads with only these rounded.
    """

    tensors: dict[str, Effect]
    activations: float
    weights: float
    both: float
    images: int


def measure_effects(
    quantized: QuantizedGraph, chunks: Sequence[Tensor], roles: Sequence[HeadRole] | None = None
) -> Effects:
    """Over some images. chunks: (N, C, H, W) in the lowered domain."""
    graph = quantized.graph
    groups = [g for g in range_groups(graph, quantized.scheme) if g.fixed is None]
    of = {p: g for g in groups for p in g.producers}
    effects = {
        n: Effect(torch.zeros(graph[n].shape[1]), torch.zeros(graph[n].shape[1])) for n in of
    }
    with torch.no_grad():
        measure = HeadMeasure((graph.run(x) for x in chunks), roles)
    signs = torch.Generator().manual_seed(0)
    for i, x in enumerate(chunks):
        _estimate(quantized, x, measure.weights(i), effects, signs)
    worst = sorted(of, key=lambda n: effects[n].estimated, reverse=True)
    for effect in effects.values():
        effect.isolated = effect.estimated
    for name in worst[:_SIMULATED]:
        effects[name].isolated = 0.0
    both = activations = weights = 0.0
    for i, x in enumerate(chunks):
        taps: dict[str, Tensor] = {}
        with torch.no_grad():
            graph.run(x, taps)
        for name in worst[:_SIMULATED]:
            heads = _run_isolated(quantized, of[name], name, taps)
            effects[name].isolated += measure.error_of(i, heads)
        both += measure.error_of(i, _run_all(quantized, x, taps, effects))
        activations += measure.error_of(i, _FloatWeights(quantized).run(x))
        weights += measure.error_of(i, _FloatActivations(quantized).run(x))
    for effect in effects.values():
        effect.cumulative /= max(effect.signal, 1e-30)
    images = sum(len(x) for x in chunks)
    return Effects(effects, activations, weights, both, images)


def _estimate(
    quantized: QuantizedGraph,
    x: Tensor,
    weights: Sequence[Tensor],
    effects: dict[str, Effect],
    signs: torch.Generator,
) -> None:
    """One float run and its gradient; see :mod:`edgectl.quant.ranges.sensitivity`."""
    scheme = quantized.scheme
    start = x.clone().requires_grad_(True)

    def listen(name: str, y: Tensor) -> None:
        value, effect, q = y.detach(), effects[name], quantized.activations[name]
        error = fake_quantize(value, q, scheme).sub_(value).square_()

        def add(grad: Tensor) -> None:
            effect.estimated += float((grad.square() * error).sum())

        y.register_hook(add)  # type: ignore[no-untyped-call]

    def step(node: Node, inputs: list[Tensor]) -> Tensor:
        if rounds_input(node, scheme) and node.inputs[0] in effects:
            inputs = [inputs[0].view_as(inputs[0])]
            listen(node.inputs[0], inputs[0])
        y = start if node.op == "input" else execute(node, inputs, node.weight, node.bias)
        if node.name in effects:
            _describe(quantized, node.name, y.detach(), effects[node.name])
            if scheme.rounds == "outputs":
                listen(node.name, y)
        return y

    total = torch.zeros(())
    for head, weight in zip(quantized.graph.evaluate(step), weights, strict=True):
        sign = torch.randint(0, 2, head.shape, generator=signs).mul_(2).sub_(1)
        total = total + (head * (weight.sqrt() * sign)).sum()
    torch.autograd.backward(total)


def _describe(quantized: QuantizedGraph, name: str, y: Tensor, effect: Effect) -> None:
    q = quantized.activations[name]
    lo, hi = bounds(q, quantized.scheme)
    dims = [d for d in range(y.ndim) if d != 1]
    effect.lo = torch.minimum(effect.lo, y.amin(dim=dims))
    effect.hi = torch.maximum(effect.hi, y.amax(dim=dims))
    effect.signal += float(y.square().sum())
    effect.noise += float((fake_quantize(y, q, quantized.scheme) - y).square().sum())
    margin = 0.5 * q.scale
    effect.clipped += int(((y < lo - margin) | (y > hi + margin)).sum())
    effect.count += y.numel()


def _run_isolated(
    quantized: QuantizedGraph, group: RangeGroup, name: str, taps: dict[str, Tensor]
) -> list[Tensor]:
    """Heads where only this tensor is rounded."""
    graph, scheme = quantized.graph, quantized.scheme
    q = quantized.activations[name]
    known = {k: v for k, v in taps.items() if k not in graph.descendants([name])}
    if scheme.rounds == "outputs":
        known[name] = fake_quantize(taps[name], q, scheme)
    else:
        known[name] = taps[name]

    def step(node: Node, inputs: list[Tensor]) -> Tensor:
        if rounds_input(node, scheme) and node.inputs[0] in group.members:
            inputs = [fake_quantize(inputs[0], q, scheme)]
        return execute(node, inputs, node.weight, node.bias)

    with torch.no_grad():
        return graph.evaluate(step, known=known)


def _run_all(
    quantized: QuantizedGraph, x: Tensor, taps: dict[str, Tensor], effects: dict[str, Effect]
) -> list[Tensor]:
    """Heads where everything is rounded; on the way, how far each tensor has strayed."""
    simulator = Simulator(quantized)

    def step(node: Node, inputs: list[Tensor]) -> Tensor:
        y = simulator.round(node, x if node.op == "input" else simulator.compute(node, inputs))
        if node.name in effects:
            error = float((y - taps[node.name]).square().sum())
            effects[node.name].cumulative += error if math.isfinite(error) else math.inf
        return y

    with torch.no_grad():
        return quantized.graph.evaluate(step)


class _FloatWeights(Simulator):
    def parameters(self, node: Node) -> tuple[Tensor | None, Tensor | None]:
        return node.weight, node.bias


class _FloatActivations(Simulator):
    def round(self, node: Node, y: Tensor) -> Tensor:
        return y

    def operands(self, node: Node, inputs: Sequence[Tensor]) -> list[Tensor]:
        return list(inputs)
