"""Ranges from streamed statistics: min/max, percentile, and least squared error.

Inside a range rounding costs a twelfth of the squared step, outside of it clipping costs the squared
distance to the border; both are sums over the histogram, so that every pair of borders is a few
look-ups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgectl.quant.ranges.histogram import HALF, Floats, Histogram
from edgectl.quant.ranges.scheme import QuantScheme

Range = tuple[float, float]

_FRACTIONS = np.geomspace(1.0, 0.02, 40)
"""Of the extremes, tried for either border; the best neighborhood is then refined."""

_REFINEMENTS = 2


def minmax_range(h: Histogram, scheme: QuantScheme, percentile: float) -> Range:
    """The extremes seen."""
    return h.lo, h.hi


def percentile_range(h: Histogram, scheme: QuantScheme, percentile: float) -> Range:
    """Clips ``100 - percentile`` percent of the values at either end; zeros count as values."""
    total = h.counts.sum() + h.zeros
    if not h.counts.any():
        return h.lo, h.hi
    tail = total * (1.0 - percentile / 100.0)
    # Zeros sit between the bins on either side; a tail that reaches them ends at zero.
    below = np.cumsum(h.counts[:HALF])
    above = np.cumsum(h.counts[: HALF - 1 : -1])
    low, high = np.flatnonzero(below > tail), np.flatnonzero(above > tail)
    return (
        max(h.lo, float(low[0] - HALF) * h.width) if low.size else 0.0,
        min(h.hi, float(HALF - high[0]) * h.width) if high.size else 0.0,
    )


@dataclass(frozen=True)
class Slope:
    """How much of an error of a tensor arrives where it counts, by the tensor's value.

    Attributes:
        edges: (n,) ascending values.
        seen: (n,) what becomes of them: an error from a to b counts ``(seen(a) - seen(b)) ** 2``.
    """

    edges: Floats
    seen: Floats

    def __call__(self, x: Floats) -> Floats:
        """What becomes of values of any shape."""
        return np.asarray(np.interp(x, self.edges, self.seen), dtype=np.float64)


class RangeCost:
    """Squared error of a tensor, or of what becomes of it, for any range at once."""

    def __init__(self, h: Histogram, scheme: QuantScheme, slope: Slope | None = None) -> None:
        self._scheme = scheme
        self._edges = h.edges
        seen = self._edges if slope is None else slope(self._edges)
        self._seen = seen
        steepness = np.diff(seen) / h.width
        middle = 0.5 * (seen[1:] + seen[:-1])
        self._inside = _sums(h.counts * steepness**2)
        self._moments = [_sums(h.counts * middle**k) for k in range(3)]

    def __call__(self, lows: Floats, highs: Floats) -> Floats:
        """Costs of all ranges from one of ``lows`` to one of ``highs``: (lows, highs)."""
        qmin, qmax = self._scheme.activation_range
        if self._scheme.activation_symmetric:
            ends = np.maximum(-lows[:, None], highs[None])
            return self._of(-ends, ends, ends / min(-qmin, qmax))
        return self._of(lows[:, None], highs[None], (highs[None] - lows[:, None]) / (qmax - qmin))

    def _of(self, lows: Floats, highs: Floats, steps: Floats) -> Floats:
        """Of arrays that broadcast; what depends on one border alone is looked up once."""
        inside = self._at(self._inside, highs) - self._at(self._inside, lows)
        cost = steps**2 / 12.0 * inside
        below = [self._at(m, lows) for m in self._moments]
        above = [m[-1] - self._at(m, highs) for m in self._moments]
        for border, (n, first, second) in ((lows, below), (highs, above)):
            at = np.interp(border, self._edges, self._seen)
            cost = cost + np.maximum(second - 2.0 * at * first + at**2 * n, 0.0)
        return np.asarray(cost, dtype=np.float64)

    def _at(self, sums: Floats, x: Floats) -> Floats:
        return np.asarray(np.interp(x, self._edges, sums), dtype=np.float64)


def _sums(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])


def least_squares_range(h: Histogram, scheme: QuantScheme, slope: Slope | None = None) -> Range:
    """The range of least squared rounding and clipping error, measured behind ``slope``."""
    if not h.counts.any():
        return h.lo, h.hi
    cost = RangeCost(h, scheme, slope)
    lows = highs = _FRACTIONS
    step = float(_FRACTIONS[0] / _FRACTIONS[1])
    best = (1.0, 1.0)
    for _ in range(1 + _REFINEMENTS):
        costs = cost(h.lo * lows, h.hi * highs)
        i, j = np.unravel_index(int(np.argmin(costs)), costs.shape)
        best = float(lows[i]), float(highs[j])
        around = step ** np.linspace(-1.0, 1.0, 9)
        lows, highs = (np.minimum(f * around, 1.0) for f in best)
        step = step**0.25
    return h.lo * best[0], h.hi * best[1]


def mse_range(h: Histogram, scheme: QuantScheme, percentile: float) -> Range:
    """The range of least squared error of the tensor itself."""
    return least_squares_range(h, scheme)


OBSERVERS: dict[str, Callable[[Histogram, QuantScheme, float], Range]] = {
    "minmax": minmax_range,
    "percentile": percentile_range,
    "mse": mse_range,
}
"""Name -> ``f(histogram, scheme, percentile) -> (lo, hi)``."""
