"""Range search from streamed statistics: min/max, percentile and mean squared error.

Statistics are collected in two passes over the same images: exact extremes, then a histogram
between them. Exact zeros (padding, ReLU) are counted apart: they cost no error in any range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from edgectl.quant.ranges.consumers import Floats, Function
from edgectl.quant.ranges.ranges import bounds, qparams
from edgectl.quant.ranges.scheme import QuantScheme

Range = tuple[float, float]

BINS = 2048
_GRID = np.linspace(1.0, 0.04, 33)
"""Fractions of the extremes tried first; the best neighborhood is then refined."""


@dataclass
class Extremes:
    """Smallest and largest value seen. Zero always belongs to the range."""

    lo: float = 0.0
    hi: float = 0.0

    def update(self, x: Tensor) -> None:
        """Takes in a tensor of any shape."""
        lo, hi = torch.aminmax(x)
        self.lo, self.hi = min(self.lo, float(lo)), max(self.hi, float(hi))


@dataclass
class Histogram:
    """Counts of the non-zero values between two bounds, in :data:`BINS` equal bins.

    ``through``: what the readers make of the values; errors are measured behind it. ``zeros``: how much
    the zeros count.
    """

    lo: float
    hi: float
    through: Function | None = None
    counts: Floats = field(default_factory=lambda: np.zeros(BINS))
    zeros: float = 0.0

    def update(self, x: Tensor, weight: Tensor | None = None) -> None:
        """Takes in a tensor of any shape, float32; ``weight``: how much each value's error counts."""
        x = x.flatten()
        weight = None if weight is None else weight.flatten()
        present = x != 0
        absent = ~present if weight is None else weight[~present]
        self.zeros += float(absent.sum(dtype=torch.float64))
        if self.hi <= self.lo or not bool(present.any()):
            return
        if weight is not None:
            weight = weight[present]
        span = (self.lo, self.hi)
        counted = torch.histogram(x[present], BINS, range=span, weight=weight)
        self.counts += counted.hist.double().numpy()

    @property
    def centers(self) -> Floats:
        """Bin centers, (BINS,)."""
        width = (self.hi - self.lo) / BINS
        return np.asarray(self.lo + width * (np.arange(BINS) + 0.5), dtype=np.float64)


def minmax_range(h: Histogram, scheme: QuantScheme, percentile: float) -> Range:
    """Everything seen."""
    return h.lo, h.hi


def percentile_range(h: Histogram, scheme: QuantScheme, percentile: float) -> Range:
    """Clips ``100 - percentile`` percent of the values at either end; zeros count as values."""
    if not h.counts.any():
        return h.lo, h.hi
    total = h.counts.sum() + h.zeros
    tail = total * (1.0 - percentile / 100.0)
    centers = h.centers
    # Zeros sit between the bins on either side; a tail that reaches them ends at zero.
    below = np.cumsum(h.counts * (centers < 0))
    above = np.cumsum((h.counts * (centers > 0))[::-1])[::-1]
    low, high = centers[(below > tail) & (centers < 0)], centers[(above > tail) & (centers > 0)]
    half = (h.hi - h.lo) / BINS / 2
    return (
        max(h.lo, float(low[0]) - half) if low.size else 0.0,
        min(h.hi, float(high[-1]) + half) if high.size else 0.0,
    )


def mse_range(h: Histogram, scheme: QuantScheme, percentile: float) -> Range:
    """The range of least squared rounding and clipping error: a grid, refined twice."""
    if not h.counts.any():
        return h.lo, h.hi
    one_sided = h.lo == 0.0 or h.hi == 0.0 or scheme.activation_symmetric
    lows, highs = _GRID, _GRID
    step = float(_GRID[0] - _GRID[1])
    best = (1.0, 1.0)
    for _ in range(3):
        pairs = (
            [(f, f) for f in lows] if one_sided else [(low, high) for low in lows for high in highs]
        )
        errors = [_error(h, (h.lo * low, h.hi * high), scheme) for low, high in pairs]
        best = pairs[int(np.argmin(errors))]
        around = np.linspace(-step, step, 7)
        lows, highs = (np.clip(f + around, step / 8, 1.0) for f in best)
        step /= 3.0
    return h.lo * float(best[0]), h.hi * float(best[1])


def _error(h: Histogram, candidate: Range, scheme: QuantScheme) -> float:
    q = qparams(*candidate, scheme)
    lo, hi = bounds(q, scheme)
    x = h.centers
    rounded = np.clip(np.rint(x / q.scale) * q.scale, lo, hi)
    if h.through is not None:
        x, rounded = h.through(x), h.through(rounded)
    return float(np.dot(h.counts, (x - rounded) ** 2))


def least_squares(
    x: Tensor,
    scheme: QuantScheme,
    *,
    through: Function | None = None,
    weight: Tensor | None = None,
) -> Range:
    """:func:`mse_range` of one tensor; arguments as :class:`Histogram` takes them."""
    extremes = Extremes()
    extremes.update(x)
    histogram = Histogram(extremes.lo, extremes.hi, through)
    histogram.update(x, weight)
    return mse_range(histogram, scheme, percentile=100.0)


OBSERVERS: dict[str, Callable[[Histogram, QuantScheme, float], Range]] = {
    "minmax": minmax_range,
    "percentile": percentile_range,
    "mse": mse_range,
}
"""Name -> ``f(histogram, scheme, percentile) -> (lo, hi)``."""
