"""How a layer's weight scales become the factors of its channels and one output multiplier.

With at most 15 bits of shift, a convolution's multiplier has 5 to 7 significant bits: as the makers'
converter rounds it, every output is off by up to 8 %. :func:`on_grid` enlarges weight scales a little
instead, to where multiplier and factors stand for the ratios of the scales exactly. That costs a
fraction of a bit of the weights, and leaves the scales of tensors as they were calibrated or learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import Node
from edgectl.quant.quantized import QuantizedGraph
from edgectl_ncnn.awnn.capabilities import place
from edgectl_ncnn.awnn.fields import NPU
from edgectl_ncnn.awnn.requantize import MAX, Multiplier, multiplier

ONE = 1024
"""Channel factors are in units of 1/1024."""

_BIAS_SHARE = 16.0
"""Biases may be rounded to this fraction of an output step."""

_FLOAT32 = 1e-6
"""A ratio on the grid must not move up because its scales are float32."""


@dataclass(frozen=True)
class WeightFields:
    """Attributes:
    steps: (out,) float64, real size of an integer step of each channel's weights.
    factors: (out,) int16, brings each channel's accumulator to the coarsest channel's.
    output: brings that to the output.
    """

    steps: np.ndarray
    factors: np.ndarray
    output: Multiplier


def file_scale(quantized: QuantizedGraph, tensor: str) -> float:
    """127 / threshold of a tensor: the float32 value that the file holds."""
    return float(np.float32(1.0 / quantized.activations[tensor].scale))


def weight_fields(quantized: QuantizedGraph, node: Node) -> WeightFields:
    """The rule: x = s_out / (s_in * s_w), factors 1024 * s_w_min / s_w.

    Raises:
        ValueError: no multiplier stands for the ratio.
    """
    steps = quantized.weight_scales[node.name].double().cpu().numpy()
    largest = float(steps.max())
    factors = np.maximum(np.rint(steps / largest * ONE), 1).astype(np.int16)
    return WeightFields(steps, factors, multiplier(_ratio(quantized, node) * largest))


def unrepresentable(node: Node, error: ValueError) -> ArtifactError:
    """For a ratio of a node's scales that no multiplier stands for."""
    return ArtifactError(
        f"{node.op}: {error}",
        where=node.origin or node.name,
        fix="the tensor is (almost) always zero: calibrate with images of your scene",
    )


def on_grid(quantized: QuantizedGraph) -> QuantizedGraph:
    """The same graph with weight scales for which :func:`weight_fields` is exact.

    Raises:
        ArtifactError: no multiplier stands for a ratio.
    """
    graph = quantized.graph
    moved = {}
    for name, scales in quantized.weight_scales.items():
        node = graph[name]
        if place(graph, node).device == NPU:
            try:
                scales = _exact(quantized, node)
            except ValueError as e:
                raise unrepresentable(node, e) from e
        moved[name] = scales
    return replace(quantized, weight_scales=moved)


def _ratio(quantized: QuantizedGraph, node: Node) -> float:
    """Output steps in one unit of the accumulator, for weights with steps of one."""
    return file_scale(quantized, node.name) / file_scale(quantized, node.inputs[0])


def _exact(quantized: QuantizedGraph, node: Node) -> torch.Tensor:
    """(out,) float32, none smaller than it was, so that nothing is clipped."""
    assert node.bias is not None
    steps = quantized.weight_scales[node.name].double().cpu().numpy()
    bias = node.bias.double().cpu().numpy()
    ratio = _ratio(quantized, node)
    shift = multiplier(ratio * float(steps.max())).shift
    output = _at_least(ratio * float(steps.max()), shift)
    if output.mult > MAX:
        output = _at_least(ratio * float(steps.max()), shift - 1)
    base = output.mult / min(1 << output.shift, MAX) / ratio
    # A channel of vanishing weights with a bias of its own: the bias has 16 bits as well.
    unit = max(1.0, 1.0 / (_BIAS_SHARE * output.real))
    needed = np.abs(bias) * file_scale(quantized, node.inputs[0]) / (MAX * unit)
    factors = np.clip(np.ceil(np.maximum(steps, needed) / base * ONE - _FLOAT32 * ONE), 1, ONE)
    factors[int(steps.argmax())] = ONE  # the unit of all others
    return torch.from_numpy((base * factors / ONE).astype(np.float32))


def _at_least(x: float, shift: int) -> Multiplier:
    return Multiplier(max(1, math.ceil(x * min(1 << shift, MAX) * (1.0 - _FLOAT32))), shift)
