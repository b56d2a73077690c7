"""Is one model better than another, or were the pictures lucky? A paired bootstrap over pictures.

Both models are scored on the same resampled pictures, again and again; what varies is their
difference. It says what another sample of such pictures could show, not what another training
would: that takes several seeds.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3 (percentile interval).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from edgectl.errors import UsageError

RESAMPLES = 1000
LEVEL = 0.95


class PictureScores(Protocol):
    """What a metric keeps of each picture, enough to compute its main figure over any selection."""

    @property
    def pictures(self) -> int:
        """How many there are, in data-set order."""
        ...

    def values(self, weights: np.ndarray) -> np.ndarray:
        """weights: (B, pictures) integers, how often each picture counts. Returns the (B,) main
        figures, NaN where it is undefined. All ones give the figure itself."""
        ...


@runtime_checkable
class Resampled(Protocol):
    """A metric that can be computed over any selection of its pictures."""

    def per_picture(self) -> PictureScores:
        """Of everything seen so far."""
        ...


@dataclass(frozen=True)
class RatioScores:
    """A figure that is a ratio of sums over pictures: F1, precision, top-1.

    Attributes:
        numerator, denominator: (pictures,) each.
    """

    numerator: np.ndarray
    denominator: np.ndarray

    @property
    def pictures(self) -> int:
        """How many."""
        return len(self.numerator)

    def values(self, weights: np.ndarray) -> np.ndarray:
        """(B,) ratios; NaN where nothing was drawn that counts."""
        below = (weights @ self.denominator).astype(np.float64)
        above = (weights @ self.numerator).astype(np.float64)
        ratios: np.ndarray = np.full_like(below, np.nan)
        np.divide(above, below, out=ratios, where=below > 0)
        return ratios


@dataclass(frozen=True)
class Comparison:
    """``difference`` is the measured figure minus the reference's; ``low`` and ``high`` bound it."""

    metric: str
    difference: float
    low: float
    high: float
    level: float
    resamples: int
    pictures: int

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def compare(
    metric: str,
    measured: PictureScores,
    reference: PictureScores,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Comparison | None:
    """The difference of two models on the same pictures, with its percentile interval.

    None where the figure is undefined on these pictures.

    Raises:
        UsageError: scores of different pictures.
    """
    count = measured.pictures
    if count != reference.pictures:
        raise UsageError(
            f"{count} pictures against {reference.pictures}: a paired comparison needs the same",
            where="--against",
            fix="score both on one set: --data DATA --split SPLIT",
        )
    rng = np.random.default_rng((seed, 0xB007))
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=resamples) if count else None
    if drawn is None:
        return None
    weights = np.concatenate([np.ones((1, count), np.int64), drawn])
    differences = measured.values(weights) - reference.values(weights)
    defined = differences[1:][np.isfinite(differences[1:])]
    if not np.isfinite(differences[0]) or not defined.size:
        return None
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return Comparison(
        metric, float(differences[0]), float(low), float(high), level, len(defined), count
    )
