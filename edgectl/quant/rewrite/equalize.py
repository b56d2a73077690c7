"""Cross-layer equalization (Nagel et al., 2019, "Data-Free Quantization Through Weight Equalization
and Bias Correction", arXiv:1906.04721).

A channel between two convolutions may be divided by s > 0 in the first and multiplied by s in the
second when the activation between them is positively homogeneous: ``relu(x / s) == relu(x) / s``.
Where weights have a scale a channel, it is the activation tensor whose channels want to be alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.ranges.scheme import QuantScheme

LIMIT = 16.0
"""Largest factor: a nearly dead channel must not be blown up to full range."""

_HEADROOM = 1.25
"""ReLU6: room above the largest value seen before the clamp may bite."""


def equalizable(graph: QuantGraph) -> list[str]:
    """Convolutions whose output is read by convolutions alone, through a homogeneous activation."""
    names = []
    for node in graph:
        readers = graph.consumers(node.name)
        if (
            node.op == "conv"
            and node.activation in (None, "relu", "relu6")
            and node.name not in graph.outputs
            and readers
            and all(r.op == "conv" and (r.depthwise or r.attrs["groups"] == 1) for r in readers)
        ):
            names.append(node.name)
    return names


def equalize(
    graph: QuantGraph, channel_peaks: Mapping[str, Tensor], scheme: QuantScheme
) -> QuantGraph:
    """A graph of the same function with balanced channels.

    ReLU6 is not homogeneous. Its channels are only ever enlarged, and only so far that
    ``_HEADROOM`` times the largest value seen still passes the clamp: unchanged on the calibration
    images, and saturating beyond them, as int8 would anyway. Channels that reach 6 stay.

    Args:
        channel_peaks: node name -> (C,) largest absolute output on calibration images, for every
            name in :func:`equalizable`.
    """
    result = graph.copy()
    for name in equalizable(result):
        node, readers = result[name], result.consumers(name)
        factors = _factors(node, readers, channel_peaks[name], scheme)
        assert node.weight is not None and node.bias is not None
        node.weight = node.weight / factors.reshape(-1, 1, 1, 1)
        node.bias = node.bias / factors
        rescale_readers(readers, factors)
    return result


def rescale_readers(readers: list[Node], factors: Tensor) -> None:
    """Multiplies, in place, what each reader's weights do with input channel c by ``factors[c]``."""
    for reader in readers:
        assert reader.weight is not None
        if reader.depthwise:
            # with a channel multiplier several filters in a row read the same channel
            filters = len(reader.weight) // len(factors)
            scaling = factors.repeat_interleave(filters).reshape(-1, 1, 1, 1)
        else:
            scaling = factors.reshape(1, -1, 1, 1)
        reader.weight = reader.weight * scaling


def _factors(node: Node, readers: list[Node], peaks: Tensor, scheme: QuantScheme) -> Tensor:
    """(C,) divisors of the node's output channels."""
    assert node.weight is not None
    own = peaks if scheme.weight_per_channel else node.weight.abs().flatten(1).amax(1)
    factors = balancing_factors(own, readers, scheme)
    if node.activation == "relu6":
        factors = torch.maximum(factors, peaks * _HEADROOM / 6.0).clamp_max(1.0)
    return factors


def balancing_factors(own: Tensor, readers: list[Node], scheme: QuantScheme) -> Tensor:
    """(C,) divisors that share the imbalance of ``own`` between a tensor and its readers' weights.

    own: (C,) > 0, largest magnitude a channel.
    """
    own = (own / own.amax().clamp_min(1e-12)).clamp_min(1.0 / LIMIT)
    dense = [r for r in readers if not (r.depthwise and scheme.weight_per_channel)]
    if not dense:
        # A depthwise reader has a scale of its own for each channel: balancing is free.
        return own
    theirs = torch.stack([_column_peaks(r, scheme) for r in dense]).amax(0)
    theirs = (theirs / theirs.amax().clamp_min(1e-12)).clamp_min(1.0 / LIMIT)
    return (own / theirs).sqrt()


def _column_peaks(reader: Node, scheme: QuantScheme) -> Tensor:
    """(C_in,) largest weight on each input channel, relative to the scale it is rounded with."""
    assert reader.weight is not None
    weight = reader.weight.abs()
    if reader.depthwise:
        return weight.reshape(reader.attrs["groups"], -1).amax(1)
    if scheme.weight_per_channel:
        weight = weight / weight.flatten(1).amax(1).clamp_min(1e-12).reshape(-1, 1, 1, 1)
    return weight.amax(dim=(0, 2, 3))
