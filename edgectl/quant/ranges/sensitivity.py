"""How much an error of a tensor's values costs at the heads, from one backward pass.

The heads' error is a weighted sum of squares. Its gradient through a random sign for every element of
the heads gives, squared, an unbiased estimate of what a small independent error of each value of each
tensor adds to it (Hutchinson's estimator of the Gauss-Newton matrix's diagonal, as in HAWQ-V2: Dong et
al., 2019, arXiv:1911.03852). All tensors are judged at once, for the price of a few runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute
from edgectl.quant.ranges.histogram import ChannelHistogram, merged
from edgectl.quant.ranges.observers import Slope
from edgectl.quant.ranges.scheme import QuantScheme

_BINS = 64
"""On either side of zero: what a squared gradient is at a value is an average over the values there."""

_STRIDE = 3
"""Not a power of two: the columns of a feature map are a multiple of many of those."""

_ENOUGH = 128
"""Positions of a tensor that are always looked at."""


def _no_sums() -> Tensor:
    return torch.zeros(2 * _BINS, dtype=torch.float64)


@dataclass
class Sensitivity:
    """Of one tensor.

    Attributes:
        width: of a bin.
        channels: (C,) squared gradients summed over images and positions: the error at the heads where
            every value of a channel is off by one.
        squares: (2 * _BINS,) the same sum by the value itself.
        counts: (2 * _BINS,) how many values those were.
    """

    width: float
    channels: Tensor
    squares: Tensor = field(default_factory=_no_sums)
    counts: Tensor = field(default_factory=_no_sums)

    def update(self, y: Tensor, grad: Tensor) -> None:
        """y, grad: (N, C, ...) the tensor, and the gradient there of the heads with their signs."""
        y, grad = (t.flatten(2) if t.ndim > 2 else t[:, :, None] for t in (y, grad))
        # a part of the positions tells as much, and costs a part of the time
        stride = max(1, min(_STRIDE, y.shape[2] // _ENOUGH))
        y, squares = y[:, :, ::stride], grad[:, :, ::stride].square().mul_(float(stride))
        self.channels += squares.sum(dim=(0, 2))
        bins = y.mul(1.0 / self.width).floor_().clamp_(-_BINS, _BINS - 1).add_(_BINS)
        bins = bins.to(torch.int32).flatten()
        self.counts += torch.bincount(bins, minlength=2 * _BINS) * stride
        self.squares += torch.bincount(bins, weights=squares.flatten(), minlength=2 * _BINS)


def joint_slope(parts: Sequence[Sensitivity]) -> Slope | None:
    """What becomes of an error of tensors that share a range, by the value it starts at; None where
    nothing is felt."""
    width = max(p.width for p in parts)
    squares, counts = (
        sum((merged(getattr(p, a), round(width / p.width)) for p in parts), _no_sums()).numpy()
        for a in ("squares", "counts")
    )
    if not squares.any():
        return None
    where = np.flatnonzero(counts)
    mean = np.interp(np.arange(len(counts)), where, squares[where] / counts[where])
    seen = np.concatenate([[0.0], np.cumsum(np.sqrt(mean))]) * width
    edges = np.asarray(np.arange(-_BINS, _BINS + 1) * width, dtype=np.float64)
    return Slope(edges, np.asarray(seen, dtype=np.float64))


def measure_sensitivity(
    graph: QuantGraph,
    seen: dict[str, ChannelHistogram],
    scheme: QuantScheme,
    chunks: Iterable[tuple[Tensor, list[Tensor]]],
) -> dict[str, Sensitivity]:
    """Of every tensor in ``seen`` that is rounded somewhere.

    Args:
        chunks: pairs of images and what a squared error of each element of each head costs.
    """
    found = {name: Sensitivity(_bin_width(h), torch.zeros(len(h.lo))) for name, h in seen.items()}
    signs = torch.Generator().manual_seed(0)
    for x, weights in chunks:
        heads = graph.evaluate(_watching(found, scheme, x.clone().requires_grad_(True)))
        total = torch.zeros(())
        for head, weight in zip(heads, weights, strict=True):
            sign = torch.randint(0, 2, head.shape, generator=signs).mul_(2).sub_(1)
            total = total + (head * (weight.sqrt() * sign)).sum()
        torch.autograd.backward(total)
    return found


def _bin_width(h: ChannelHistogram) -> float:
    """A power of two, so that bins of one tensor can be merged into those of another."""
    largest = max(float(h.peaks().max()), 2.0**-60)
    return 2.0 ** math.ceil(math.log2(largest / _BINS))


def _watching(
    found: dict[str, Sensitivity], scheme: QuantScheme, x: Tensor
) -> Callable[[Node, list[Tensor]], Tensor]:
    """A step of the interpreter that listens where the scheme rounds."""

    def listen(name: str, y: Tensor) -> Tensor:
        if name in found:
            sensitivity, value = found[name], y.detach()
            y.register_hook(  # type: ignore[no-untyped-call]
                lambda grad: sensitivity.update(value, grad)
            )
        return y

    def step(node: Node, inputs: list[Tensor]) -> Tensor:
        if scheme.rounds == "weighted_inputs" and node.weight is not None:
            # only what the convolution reads is rounded, not what others read of the same tensor
            inputs = [listen(node.inputs[0], inputs[0].view_as(inputs[0]))]
        y = x if node.op == "input" else execute(node, inputs, node.weight, node.bias)
        return listen(node.name, y) if scheme.rounds == "outputs" else y

    return step
