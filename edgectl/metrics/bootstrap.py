"""Is one model better than another, or were the images lucky? A paired bootstrap over images.

Both models are scored on the same resampled images, again and again; what varies is their
difference. It says what another sample of such images could show, not what another training
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


class ImageScores(Protocol):
    """What a metric keeps of each image, enough to compute its main figure over any selection."""

    @property
    def images(self) -> int:
        """How many there are, in data-set order."""
        ...

    def values(self, weights: np.ndarray) -> np.ndarray:
        """weights: (B, images) integers, how often each image counts. Returns the (B,) main
        figures, NaN where it is undefined. All ones give the figure itself."""
        ...


@runtime_checkable
class Resampled(Protocol):
    """A metric that can be computed over any selection of its images."""

    def per_image(self) -> ImageScores:
        """Return the scores of everything seen so far."""
        ...


@dataclass(frozen=True)
class RatioScores:
    """A figure that is a ratio of sums over images: F1, precision, top-1.

    Attributes:
        numerator, denominator: (images,) each.
    """

    numerator: np.ndarray
    denominator: np.ndarray

    @property
    def images(self) -> int:
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
    images: int

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def compare(
    metric: str,
    measured: ImageScores,
    reference: ImageScores,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Comparison | None:
    """The difference of two models on the same images, with its percentile interval.

    None where the figure is undefined on these images.

    Raises:
        UsageError: scores of different images.
    """
    count = measured.images
    if count != reference.images:
        raise UsageError(
            f"{count} images against {reference.images}: a paired comparison needs the same",
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
