"""Channels whose rounding noise would drown all they ever say are made constant.

Where a ReLU channel died in training, the batch norm behind it saw no variance and divides by the root of
its epsilon: folded, that channel's weights are hundreds or thousands of times its neighbors', on an
input that never changes. In float nothing comes of it. In int8 the input is off by a fraction of a step,
and the channel answers with a jump over the tensor's whole range: a few of them ruin the network.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.rewrite.balance_plan import LIMIT

_NOISE_STEPS = 8.0
"""Steps of its own tensor a channel's noise must exceed. A channel that is merely quiet on the sample
may speak up on other images, and stays; one that loud was quiet in all of training."""


def silence(graph: QuantGraph, x: Tensor, scheme: QuantScheme) -> tuple[QuantGraph, int]:
    """A graph without such channels, and how many there were.

    A channel is replaced by its mean, with weights of zero. Ops are judged in order, each behind
    predecessors already silenced: the outliers of one would hide the next.

    Args:
        x: (N, C, H, W) images in the lowered domain.
    """
    result = graph.copy()
    count = 0

    def step(node: Node, inputs: list[Tensor]) -> Tensor:
        nonlocal count
        y = x if node.op == "input" else execute(node, inputs, node.weight, node.bias)
        if node.weight is None or node.bias is None:
            return y
        channels, level = _dead_channels(node, inputs[0], y, scheme)
        if not bool(channels.any()):
            return y
        count += int(channels.sum())
        shape = (-1, *[1] * (node.weight.ndim - 1))
        node.weight = torch.where(channels.reshape(shape), 0.0, node.weight)
        # every fused activation leaves a value of its own range as it is
        node.bias = torch.where(channels, level, node.bias)
        return execute(node, inputs, node.weight, node.bias)

    with torch.no_grad():
        result.evaluate(step)
    return result, count


def _dead_channels(
    node: Node, read: Tensor, y: Tensor, scheme: QuantScheme
) -> tuple[Tensor, Tensor]:
    """((C,) bool, (C,) mean): channels that vary less than the rounding of what they read varies them,
    even were that balanced as well as can be (:mod:`edgectl.quant.rewrite.balance`).

    read, y: the op's input and output.
    """
    assert node.weight is not None
    levels = scheme.activation_range[1] - scheme.activation_range[0]
    own = _spans(read)
    widest = _spans(read.flatten()[None, None])
    at_best = _noise(node, torch.maximum(own, widest / LIMIT) / levels)
    noise = _noise(node, widest.expand_as(own) / levels)
    loud = _NOISE_STEPS * _spans(y.flatten()[None, None]) / levels
    values = y.movedim(1, 0).flatten(1)
    mean = values.mean(dim=1)
    varies = (values - mean[:, None]).square().mean(dim=1).sqrt()
    return (at_best > varies) & (noise > loud), mean


def _noise(node: Node, steps: Tensor) -> Tensor:
    """(C,) standard deviation of the output where every input channel is off by up to half its step:
    uniform errors, independent of each other. steps: (C_in,)."""
    assert node.weight is not None
    power = node.weight.flatten(2).square().sum(dim=2) if node.weight.ndim == 4 else node.weight**2
    groups = node.attrs.get("groups", 1)
    of_group = steps.square().reshape(groups, -1)  # (groups, C_in of one)
    per_group = power.reshape(groups, -1, power.shape[1])
    variance = (per_group * of_group[:, None]).sum(dim=2).reshape(-1) / 12.0
    return variance.sqrt()


def _spans(x: Tensor) -> Tensor:
    """(N, C, ...) to (C,): widths of the channels' ranges, zero included."""
    dims = [d for d in range(x.ndim) if d != 1]
    return x.amax(dim=dims).clamp_min(0.0) - x.amin(dim=dims).clamp_max(0.0)
