"""How far the outputs of two networks agree, output by output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

_MOST_DECIBELS = 200.0


@dataclass
class _Sums:
    """Over all elements of one output, in float64."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    noise: float = 0.0
    images: int = 0
    same_best: int = 0
    ranked: bool = True

    def update(self, y: Tensor, expected: Tensor) -> None:
        y, expected = y.double(), expected.double()
        self.count += expected.numel()
        self.total += float(expected.sum())
        self.squares += float(expected.square().sum())
        self.noise += float((y - expected).square().sum())
        self.ranked &= expected.flatten(1).shape[1] > 1 and expected[0].squeeze().dim() == 1
        if self.ranked:
            best = y.flatten(1).argmax(1) == expected.flatten(1).argmax(1)
            self.same_best += int(best.sum())
            self.images += len(best)

    @property
    def agreement(self) -> float:
        """1 where they are the same; 0 where the mean would do as well."""
        variation = self.squares - self.total**2 / max(1, self.count)
        if self.noise == 0.0:
            return 1.0
        return max(0.0, 1.0 - self.noise / variation) if variation > 0 else 0.0

    @property
    def decibels(self) -> float:
        """Signal over noise."""
        if self.noise == 0.0:
            return _MOST_DECIBELS
        ratio = self.squares / self.noise
        return round(10 * math.log10(ratio), 2) if ratio > 0 else -_MOST_DECIBELS


@dataclass
class Agreement:
    """An accumulator over batches. ``names``: of the outputs."""

    names: Sequence[str]
    _sums: list[_Sums] = field(init=False)

    def __post_init__(self) -> None:
        self._sums = [_Sums() for _ in self.names]

    def update(self, outputs: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
        """(N, ...) each. Outputs of another number of rows an image are compared on those both have."""
        for sums, y, want in zip(self._sums, outputs, expected, strict=True):
            both = tuple(slice(0, min(a, b)) for a, b in zip(y.shape, want.shape, strict=True))
            sums.update(y[both], want[both])

    def compute(self) -> dict[str, Any]:
        """``agreement``: the mean of the outputs'; ``outputs``: each one's; ``top1_agreement``: the share of
        images whose largest number stands in the same place, where the only output ranks classes."""
        metrics: dict[str, Any] = {
            "agreement": sum(s.agreement for s in self._sums) / len(self._sums),
            "outputs": {
                name: {"agreement": s.agreement, "sqnr_db": s.decibels}
                for name, s in zip(self.names, self._sums, strict=True)
            },
        }
        only = self._sums[0]
        if len(self._sums) == 1 and only.ranked and only.images:
            metrics["top1_agreement"] = only.same_best / only.images
        return metrics
