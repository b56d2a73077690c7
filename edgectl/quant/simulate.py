"""Execute a quantized graph in float: every tensor rounded to the grid its integers live on.

Agrees with the device's integer kernels within their rounding; fast enough for searching ranges and
the forward pass of quantization-aware training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QParams, QuantScheme
from edgectl.quant.weights import round_bias, round_weight

_MOVES_VALUES = frozenset({"concat", "max_pool", "upsample", "reshape", "transpose", "slice"})
"""Ops that leave a tensor on its grid when input and output share it."""


def needs_rounding(node: Node, scheme: QuantScheme) -> bool:
    """False where the output is on the grid already, or stays in float."""
    if scheme.rounds != "outputs":
        return False
    return not (node.op in _MOVES_VALUES and node.op in scheme.shared_range_ops)


def rounds_input(node: Node, scheme: QuantScheme) -> bool:
    """True for an op that makes integers of the float tensor it reads (its first input)."""
    rounds = scheme.rounds == "weighted_inputs" and node.weight is not None
    return rounds and not keeps_float(node, scheme)


def keeps_float(node: Node, scheme: QuantScheme) -> bool:
    """True for an op whose weights and bias are not rounded."""
    return scheme.float_grouped and node.op == "conv" and node.attrs["groups"] > 1


def fake_quantize(x: Tensor, q: QParams, scheme: QuantScheme) -> Tensor:
    """scale * (clamp(round(x / scale) + zero_point) - zero_point), in float32.

    In place on one copy: ``torch.fake_quantize_per_tensor_affine`` writes the same elements in several
    times the time, because it makes a mask for the gradient as well.
    """
    qmin, qmax = scheme.activation_range
    scale = torch.tensor(q.scale, dtype=torch.float32)
    steps = torch.mul(x, float(scale.reciprocal())).round_()
    return steps.clamp_(qmin - q.zero_point, qmax - q.zero_point).mul_(float(scale))


class Simulator:
    """Runs a :class:`QuantizedGraph`; rounded parameters are kept between runs.

    Change activation parameters through :meth:`assign` only: the biases on their grid follow.
    """

    def __init__(self, quantized: QuantizedGraph) -> None:
        self.quantized = quantized
        self._parameters: dict[str, tuple[Tensor, Tensor]] = {}

    @property
    def graph(self) -> QuantGraph:
        """The graph executed."""
        return self.quantized.graph

    def assign(self, names: Sequence[str], q: QParams) -> None:
        """Sets the parameters of some tensors."""
        for name in names:
            self.quantized.activations[name] = q
            for reader in self.graph.consumers(name):
                self.forget(reader.name)

    def forget(self, name: str) -> None:
        """Rounds a node's weight and bias afresh at the next use, after they were changed."""
        self._parameters.pop(name, None)

    def parameters(self, node: Node) -> tuple[Tensor | None, Tensor | None]:
        """Rounded (weight, bias) of a node; (None, None) where it has none."""
        if node.weight is None or node.bias is None:
            return None, None
        if keeps_float(node, self.quantized.scheme):
            return node.weight, node.bias
        if node.name not in self._parameters:
            scale, scheme = self.quantized.weight_scales[node.name], self.quantized.scheme
            input_scale = self.quantized.activations[node.inputs[0]].scale
            self._parameters[node.name] = (
                round_weight(node.weight, scale, scheme),
                round_bias(node.bias, scale, input_scale, scheme),
            )
        return self._parameters[node.name]

    @torch.no_grad()
    def run(
        self,
        x: Tensor,
        outputs: Sequence[str] | None = None,
        *,
        known: Mapping[str, Tensor] | None = None,
        taps: dict[str, Tensor] | None = None,
    ) -> list[Tensor]:
        """Arguments as :meth:`QuantGraph.evaluate`; x: (N, C, H, W) in the lowered domain."""

        def step(node: Node, inputs: list[Tensor]) -> Tensor:
            y = x if node.op == "input" else self.compute(node, inputs)
            return self.round(node, y)

        return self.graph.evaluate(step, outputs, known=known, taps=taps)

    def compute(self, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        """A node's output before rounding, with rounded parameters."""
        return execute(node, self.operands(node, inputs), *self.parameters(node))

    def operands(self, node: Node, inputs: Sequence[Tensor]) -> list[Tensor]:
        """``inputs`` as the node's kernel sees them."""
        if not rounds_input(node, self.quantized.scheme):
            return list(inputs)
        q = self.quantized.activations[node.inputs[0]]
        return [fake_quantize(inputs[0], q, self.quantized.scheme)]

    def round(self, node: Node, y: Tensor) -> Tensor:
        """``y`` on the grid of the node's output."""
        if not needs_rounding(node, self.quantized.scheme):
            return y
        return fake_quantize(y, self.quantized.activations[node.name], self.quantized.scheme)


def simulate(
    quantized: QuantizedGraph, x: Tensor, taps: dict[str, Tensor] | None = None
) -> list[Tensor]:
    """One run. x: (N, C, H, W) in the lowered domain; returns the outputs, de-quantized."""
    return Simulator(quantized).run(x, taps=taps)
