"""Streamed statistics of a tensor: the extremes of every channel, and how often it takes which value.

One pass is enough: bins are a power of two wide and zero is a border, so that when a larger value comes,
pairs of bins become one and nothing has to be counted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]

HALF = 256
"""Bins on either side of zero. The larger side fills more than half of its own."""

_SMALLEST = 2.0**-60
"""Bin width of a channel that is all zeros so far."""

_ENOUGH = 256
"""Values of a channel of one image that are always counted; of more, at least every eighth."""


@dataclass(frozen=True)
class Histogram:
    """A tensor's distribution, exact zeros apart: no range costs them anything.

    Attributes:
        lo, hi: extremes; zero always belongs to the range.
        width: of a bin. Bin i holds ``(i - HALF) * width <= x < (i - HALF + 1) * width``.
        counts: (2 * HALF,).
        zeros: how many there are.
    """

    lo: float
    hi: float
    width: float
    counts: Floats
    zeros: float = 0.0

    @property
    def edges(self) -> Floats:
        """(2 * HALF + 1,) borders of the bins."""
        return np.asarray(np.arange(-HALF, HALF + 1) * self.width, dtype=np.float64)


class ChannelHistogram:
    """One histogram a channel, each with a bin width of its own.

    Attributes:
        lo, hi: (C,) extremes, zero included.
        width: (C,) of the bins.
        counts: (C, 2 * HALF) float32.
        zeros: (C,).
    """

    def __init__(self, channels: int) -> None:
        self.lo = torch.zeros(channels)
        self.hi = torch.zeros(channels)
        self.width = torch.full((channels,), _SMALLEST, dtype=torch.float64)
        self.counts = torch.zeros(channels, 2 * HALF)
        self.zeros = torch.zeros(channels)
        self._updates = 0

    def update(self, y: Tensor, *, every: bool = False) -> None:
        """Takes in (N, C) or (N, C, H, W): extremes of all values, counts of at least every eighth.

        every: count all of them.
        """
        y = y.flatten(2) if y.ndim > 2 else y[:, :, None]
        self.lo = torch.minimum(self.lo, y.amin(dim=(0, 2)))
        self.hi = torch.maximum(self.hi, y.amax(dim=(0, 2)))
        self._widen()
        stride = 1 if every else max(1, min(8, y.shape[2] // _ENOUGH))
        # another start each time, so that no column of the tensor is overlooked
        y = y[:, :, self._updates % stride :: stride].contiguous()
        self._updates += 1
        # exact in float32 up to 8192 channels
        first = torch.arange(len(self.lo), dtype=torch.float32) * (2 * HALF) + HALF
        # dividing by a power of two is exact
        bins = (
            (y * (1.0 / self.width).float()[:, None]).floor_().add_(first[:, None]).to(torch.int32)
        )
        size = self.counts.numel()
        self.counts += torch.bincount(bins.flatten(), minlength=size).view_as(self.counts)
        zeros = (y == 0).sum(dim=(0, 2))
        self.zeros += zeros
        self.counts[:, HALF] -= zeros

    def _widen(self) -> None:
        """Merges bins of the channels whose values do not fit any more."""
        largest = torch.maximum(-self.lo, self.hi).double()
        tight = largest >= self.width * HALF
        if not bool(tight.any()):
            return
        # the smallest power of two that leaves the largest value inside the last bin
        exponents = torch.frexp(largest / HALF).exponent
        wanted = torch.where(tight, torch.exp2(exponents.double()), self.width)
        for c in (tight & self.counts.any(dim=1)).nonzero().flatten().tolist():
            self.counts[c] = merged(self.counts[c], round(float(wanted[c] / self.width[c])))
        self.width = wanted

    def peaks(self) -> Tensor:
        """(C,) largest magnitudes."""
        return torch.maximum(-self.lo, self.hi)

    def power(self) -> Tensor:
        """(C,) mean squares."""
        squares = ((torch.arange(-HALF, HALF) + 0.5) ** 2).float()
        total = (self.counts.sum(dim=1) + self.zeros).clamp_min(1.0)
        return (self.counts @ squares) / total * self.width.float().square()

    def divided(self, factors: Tensor) -> ChannelHistogram:
        """Of the tensor with every channel divided by its factor; factors: (C,) > 0."""
        result = ChannelHistogram(len(factors))
        result.lo, result.hi = self.lo / factors, self.hi / factors
        result.width = self.width / factors.double()
        result.counts, result.zeros = self.counts, self.zeros
        return result


def merged(counts: Tensor, factor: int) -> Tensor:
    """(2 * half,) counts where ``factor`` bins, a power of two, become one; zero is in the middle."""
    half = len(counts) // 2
    result = torch.zeros_like(counts)
    factor = min(factor, half)
    kept = half // factor
    result[half - kept : half + kept] = counts.reshape(-1, factor).sum(dim=1)
    return result


def joined(parts: Sequence[ChannelHistogram], borders: Sequence[float] = ()) -> Histogram:
    """All channels of some tensors as one distribution; ``borders`` are values that must fit as well."""
    lo = min(*(float(p.lo.min()) for p in parts), *borders, 0.0)
    hi = max(*(float(p.hi.max()) for p in parts), *borders, 0.0)
    width = max(float(p.width.max()) for p in parts)
    # a channel divided by a factor may have had wider bins than its values need
    width = min(width, 2.0 * max(-lo, hi) / HALF) or _SMALLEST
    counts = np.zeros(2 * HALF)
    for part in parts:
        centers = (torch.arange(-HALF, HALF) + 0.5)[None] * part.width[:, None]
        bins = (centers / width).floor().clamp(-HALF, HALF - 1).long() + HALF
        counts += np.bincount(
            bins.flatten().numpy(),
            weights=part.counts.double().flatten().numpy(),
            minlength=2 * HALF,
        )
    return Histogram(lo, hi, width, counts, float(sum(float(p.zeros.sum()) for p in parts)))
