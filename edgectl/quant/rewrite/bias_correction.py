"""Empirical bias correction (Nagel et al., 2019, arXiv:1906.04721, section 4.2).

Rounding weights and clipping activations shifts the mean of a layer's output; the shift, measured a
channel at a time on calibration images, goes into the bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, execute
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.simulate import Simulator


def correct_biases(
    quantized: QuantizedGraph, x: Tensor, float_taps: Mapping[str, Tensor]
) -> QuantizedGraph:
    """A copy whose weighted nodes have the float network's mean output a channel.

    Layers are corrected in topological order, each seeing its predecessors already corrected.

    Args:
        x: (N, C, H, W) images in the lowered domain.
        float_taps: every tensor of the float graph for ``x``.
    """
    corrected = replace(quantized, graph=quantized.graph.copy())
    simulator = Simulator(corrected)

    def step(node: Node, inputs: list[Tensor]) -> Tensor:
        if node.op == "input":
            return simulator.round(node, x)
        if node.bias is not None:
            linear = replace(node, activation=None)
            wanted = execute(linear, [float_taps[i] for i in node.inputs], node.weight, node.bias)
            got = simulator.compute(linear, inputs)
            node.bias = node.bias + _channel_mean(wanted - got)
            simulator.forget(node.name)
        return simulator.round(node, simulator.compute(node, inputs))

    with torch.no_grad():
        corrected.graph.evaluate(step)
    return corrected


def _channel_mean(x: Tensor) -> Tensor:
    """(N, C) or (N, C, H, W) to (C,)."""
    return x.mean(dim=[d for d in range(x.ndim) if d != 1])
