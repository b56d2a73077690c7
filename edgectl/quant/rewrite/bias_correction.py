"""Empirical bias correction (Nagel et al., 2019, arXiv:1906.04721, section 4.2).

Rounding weights and clipping activations shifts the mean of a layer's output; the shift, measured a
channel at a time on calibration images, goes into the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, activate, execute
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.simulate import Simulator


def correct_biases(quantized: QuantizedGraph, chunks: Sequence[Tensor]) -> QuantizedGraph:
    """A copy whose weighted nodes have the float network's mean output a channel.

    Layers are corrected in topological order, each seeing its predecessors already corrected. Float and
    rounded tensors go through the graph side by side, so that none is kept for later.

    Args:
        chunks: (N, C, H, W) images in the lowered domain.
    """
    corrected = replace(quantized, graph=quantized.graph.copy())
    simulator = Simulator(corrected)
    x = torch.cat(list(chunks))
    count = len(x)

    def step(node: Node, pairs: list[Tensor]) -> Tensor:
        if node.op == "input":
            return torch.cat([x, simulator.round(node, x)])
        real, rounded = [p[:count] for p in pairs], [p[count:] for p in pairs]
        linear = replace(node, activation=None)
        aim = execute(linear, real, node.weight, node.bias)
        got = simulator.compute(linear, rounded)
        if node.bias is not None:
            before = simulator.parameters(node)[1]
            node.bias = node.bias + _channel_mean(aim - got)
            simulator.forget(node.name)
            after = simulator.parameters(node)[1]
            assert before is not None and after is not None
            got = got + (after - before).reshape(-1, *[1] * (got.ndim - 2))
        wanted, got = (activate(y, node.activation) for y in (aim, got))
        return torch.cat([wanted, simulator.round(node, got)])

    with torch.no_grad():
        corrected.graph.evaluate(step)
    return corrected


def _channel_mean(x: Tensor) -> Tensor:
    """(N, C) or (N, C, H, W) to (C,)."""
    return x.mean(dim=[d for d in range(x.ndim) if d != 1])
