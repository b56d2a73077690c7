"""The quantized graph as a trainable module: learned weights, biases and activation ranges.

The forward pass computes with the float32 scales and integer zero points that ``export`` writes;
rounding passes gradients straight through. Scales and zero points learn as in LSQ (Esser et al.,
2020, arXiv:1902.08153) and LSQ+ (Bhalgat et al., 2020, arXiv:2004.09576).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from edgectl.quant.graph.quant_graph import Node, execute
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.ranges import range_groups
from edgectl.quant.ranges.scheme import QParams
from edgectl.quant.simulate import keeps_float, needs_rounding, rounds_input
from edgectl.quant.weights import round_bias, round_weight, weight_scale


class FakeQuantNet(nn.Module):
    """Starts at the parameters of ``quantized`` (copied) and trains in its scheme.

    Weight scales follow the current weights; activation ranges are learned, one a range group;
    ranges the scheme dictates stay. A range that ends at zero (after a ReLU) keeps that end.

    Args:
        outputs: names of the tensors ``forward`` returns; the graph's outputs when None. A
            criterion on logits taps the inputs of final sigmoids; those are then not computed.
    """

    def __init__(self, quantized: QuantizedGraph, outputs: Sequence[str] | None = None) -> None:
        super().__init__()
        self._graph = quantized.graph.copy()
        self._scheme = quantized.scheme
        self.outputs = self._graph.outputs if outputs is None else tuple(outputs)
        weighted = [
            (n.name, n.weight, n.bias)
            for n in self._graph
            if n.weight is not None and n.bias is not None
        ]
        self._slot = {name: i for i, (name, _, _) in enumerate(weighted)}
        self.weights = nn.ParameterList([nn.Parameter(w.clone()) for _, w, _ in weighted])
        self.biases = nn.ParameterList([nn.Parameter(b.clone()) for _, _, b in weighted])

        groups = range_groups(self._graph, self._scheme)
        self._group = {name: i for i, g in enumerate(groups) for name in g.members}
        start = [quantized.activations[g.name] for g in groups]
        ends = (*self._scheme.activation_range, 0 if self._scheme.activation_symmetric else None)
        self.ranges = nn.Parameter(torch.zeros(len(groups), 2))
        """(groups, 2): log of the scale's change; the zero point's change in range widths."""
        self.scale0: Tensor
        self.zero_point0: Tensor
        self.learned: Tensor
        self.register_buffer("scale0", torch.tensor([q.scale for q in start]))
        self.register_buffer("zero_point0", torch.tensor([float(q.zero_point) for q in start]))
        self.register_buffer(
            "learned",
            torch.tensor(
                [
                    (float(g.fixed is None), float(g.fixed is None and q.zero_point not in ends))
                    for g, q in zip(groups, start, strict=True)
                ]
            ),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """x: (N, C, H, W) in the lowered domain. Returns the tensors named by ``outputs``."""
        scales, zero_points = self._grids()
        input_scales = scales.detach().tolist()

        def on_grid(y: Tensor, name: str) -> Tensor:
            i = self._group[name]
            return _fake_quantize(y, scales[i], zero_points[i], self._scheme.activation_range)

        def step(node: Node, inputs: list[Tensor]) -> Tensor:
            y = x
            if rounds_input(node, self._scheme):
                inputs = [on_grid(inputs[0], node.inputs[0])]
            if node.op != "input":
                y = execute(node, inputs, *self._rounded(node, input_scales))
            return on_grid(y, node.name) if needs_rounding(node, self._scheme) else y

        return tuple(self._graph.evaluate(step, self.outputs))

    def export(self) -> QuantizedGraph:
        """The present parameters; simulating them equals ``forward`` bit for bit."""
        graph = self._graph.copy()
        scales, zero_points = (t.detach().cpu() for t in self._grids())
        grid = [QParams(float(s), int(z)) for s, z in zip(scales, zero_points.round(), strict=True)]
        weight_scales = {}
        for node in graph:
            if node.weight is not None:
                i = self._slot[node.name]
                node.weight = self.weights[i].detach().cpu().clone()
                node.bias = self.biases[i].detach().cpu().clone()
                input_scale = grid[self._group[node.inputs[0]]].scale
                weight_scales[node.name] = weight_scale(
                    node.weight, node.bias, input_scale, self._scheme
                )
        activations = {node.name: grid[self._group[node.name]] for node in graph}
        return QuantizedGraph(graph, self._scheme, activations, weight_scales)

    def parameter_groups(self, *, lr: float, range_lr: float) -> list[dict[str, Any]]:
        """For an optimizer that normalizes gradients (Adam).

        ``range_lr`` is relative to the width of each range, because the range parameters are.
        """
        return [
            {"params": [*self.weights, *self.biases], "lr": lr},
            {"params": [self.ranges], "lr": range_lr, "weight_decay": 0.0},
        ]

    def _grids(self) -> tuple[Tensor, Tensor]:
        """(groups,) float32 scales and real-valued zero points, inside the integer range."""
        qmin, qmax = self._scheme.activation_range
        # exp(0) is exactly one: untrained ranges are the calibrated ones, bit for bit.
        change = self.ranges * self.learned
        scales = self.scale0 * change[:, 0].exp()
        return scales, (self.zero_point0 + change[:, 1] * (qmax - qmin)).clamp(qmin, qmax)

    def _rounded(
        self, node: Node, input_scales: list[float]
    ) -> tuple[Tensor | None, Tensor | None]:
        if node.weight is None:
            return None, None
        i = self._slot[node.name]
        weight, bias = self.weights[i], self.biases[i]
        if keeps_float(node, self._scheme):
            return weight, bias
        input_scale = input_scales[self._group[node.inputs[0]]]
        scale = weight_scale(weight, bias, input_scale, self._scheme)
        return (
            _straight_through(weight, round_weight(weight, scale, self._scheme)),
            _straight_through(bias, round_bias(bias, scale, input_scale, self._scheme)),
        )


def _straight_through(x: Tensor, value: Tensor) -> Tensor:
    result: Tensor = _StraightThrough.apply(x, value)  # type: ignore[no-untyped-call]
    return result


def _fake_quantize(x: Tensor, scale: Tensor, zero_point: Tensor, limits: tuple[int, int]) -> Tensor:
    result: Tensor = _FakeQuantize.apply(x, scale, zero_point, *limits)  # type: ignore[no-untyped-call]
    return result


class _StraightThrough(torch.autograd.Function):
    """The second argument forward, the identity on the first backward.

    ``x + (value - x).detach()`` would not be bit-equal to ``value``.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


class _FakeQuantize(torch.autograd.Function):
    """Rounding to an affine grid, with the LSQ+ gradients of scale and zero point."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor, zero_point: Tensor, qmin: int, qmax: int
    ) -> Tensor:
        integer = zero_point.round().to(torch.int32)
        ctx.save_for_backward(x, scale, integer)
        ctx.bounds = (qmin, qmax)
        return torch.fake_quantize_per_tensor_affine(x, scale.detach(), integer, qmin, qmax)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        x, scale, zero_point = ctx.saved_tensors
        qmin, qmax = ctx.bounds
        steps = x / scale
        q = steps.round() + zero_point
        inside = (q >= qmin) & (q <= qmax)
        grad_x = grad * inside
        if not ctx.needs_input_grad[1]:
            return grad_x, None, None, None, None
        slope = q.clamp(qmin, qmax) - zero_point - steps * inside
        grad_scale = (grad * slope).sum()
        grad_zero_point = (grad_x.sum() - grad.sum()) * scale
        return grad_x, grad_scale, grad_zero_point, None, None
