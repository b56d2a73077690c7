"""The rules behind the integer fields of an awnn file.

A scale here is 127 / threshold: ``q = round(real * scale)``. Every rescaling by a real factor x is
``(q * mult) >> shift``. The rules reproduce all 28 pairs of a file from the makers' converter whose
scales are known (ReLU, PReLU, pooling, sums).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX = 32767
MAX_SHIFT = 15


@dataclass(frozen=True)
class Multiplier:
    """``(q * mult) >> shift``; ``real`` is the factor that is applied."""

    mult: int
    shift: int

    @property
    def real(self) -> float:
        """mult / 2^shift."""
        return self.mult / (1 << self.shift)


def multiplier(x: float) -> Multiplier:
    """The pair for a positive factor: the largest shift whose mult fits 15 bits.

    Raises:
        ValueError: x is not positive, or beyond 32767.
    """
    for shift in range(MAX_SHIFT, -1, -1):
        mult = round(x * min(1 << shift, MAX))
        if 0 <= mult <= MAX:
            if not x > 0:
                break
            return Multiplier(mult, shift)
    raise ValueError(f"no multiplier stands for {x}")


@dataclass(frozen=True)
class SumFields:
    """Integer fields of an addition.

    Attributes:
        base: index of the input with the larger scale (finer steps).
        other: brings the other input to the base's scale.
        output: brings the sum to the output's scale.
    """

    base: int
    other: Multiplier
    output: Multiplier


def sum_fields(inputs: tuple[float, float], output: float) -> SumFields:
    """From the three scales."""
    base = 0 if inputs[0] > inputs[1] else 1
    return SumFields(
        base, multiplier(inputs[base] / inputs[1 - base]), multiplier(output / inputs[base])
    )


@dataclass(frozen=True)
class Bias:
    """int16 biases; ``scale`` multiplies them where the largest did not fit, else None."""

    values: np.ndarray
    scale: Multiplier | None


def bias_fields(accumulator: np.ndarray) -> Bias:
    """accumulator: (out,) real biases in units of the accumulator, ``b * s_in * s_w``."""
    largest = float(np.abs(accumulator).max(initial=0.0))
    if largest <= MAX:
        return Bias(np.rint(accumulator).astype(np.int16), None)
    scale = multiplier(largest / MAX)
    stored = np.trunc(accumulator / scale.real)
    return Bias(np.clip(stored, -MAX, MAX).astype(np.int16), scale)
