"""Weight and bias grids: where float parameters become integer multiples of a scale."""

from __future__ import annotations

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.ranges.scheme import QParams, QuantScheme


def weight_scale(weight: Tensor, bias: Tensor, input_scale: float, scheme: QuantScheme) -> Tensor:
    """float32 (out,): largest magnitude over ``qmax``, a channel or the whole tensor.

    A channel of vanishing weights would get a scale so small that its bias no longer fits
    ``scheme.bias_bits``; there the bias decides the scale.
    """
    weight, bias = weight.detach(), bias.detach()
    largest = weight.abs().flatten(1).amax(dim=1)
    if not scheme.weight_per_channel:
        largest = largest.amax().expand(len(largest))
    scale = largest / scheme.weight_range[1]
    if scheme.bias_bits is not None:
        floor = bias.abs() / (input_scale * 2.0 ** (scheme.bias_bits - 2))
        scale = torch.maximum(scale, floor)
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def weight_scales(
    graph: QuantGraph, activations: dict[str, QParams], scheme: QuantScheme
) -> dict[str, Tensor]:
    """:func:`weight_scale` of every weighted node."""
    scales = {}
    for node in graph:
        if node.weight is not None and node.bias is not None:
            input_scale = activations[node.inputs[0]].scale
            scales[node.name] = weight_scale(node.weight, node.bias, input_scale, scheme)
    return scales


def round_weight(weight: Tensor, scale: Tensor, scheme: QuantScheme) -> Tensor:
    """Nearest representable weights, real-valued; equals ``integer_weight * scale`` bit for bit."""
    per_channel = scale.reshape(-1, *[1] * (weight.ndim - 1))
    q = torch.clamp(torch.round(weight.detach() / per_channel), *scheme.weight_range)
    return q * per_channel


def round_bias(bias: Tensor, scale: Tensor, input_scale: float, scheme: QuantScheme) -> Tensor:
    """Nearest representable biases, real-valued float32; equals ``integer_bias * bias_scale``.

    Computed on the CPU: it takes float64, which not every accelerator has.
    """
    if scheme.bias_bits is None:
        return bias.detach()
    product = torch.tensor(input_scale, dtype=torch.float32) * scale.detach().cpu()
    half = 2 ** (scheme.bias_bits - 1)
    grid = product.double()
    q = torch.clamp(torch.round(bias.detach().cpu().double() / grid), -half, half - 1)
    return (q * grid).float().to(bias.device)
