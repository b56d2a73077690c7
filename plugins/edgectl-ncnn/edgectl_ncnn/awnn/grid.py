"""Weight scales on the grid where the output multiplier is exact.

With at most 15 bits of shift, a convolution's multiplier has 5 to 7 significant bits: as the converter
rounds it, every output is off by up to 8 %. A slightly larger weight scale instead costs a fraction of
a bit of the weights, and the multiplier then stands for the ratio of the scales exactly. The factor
of each channel, 10 bits, is treated alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgectl_ncnn.awnn.requantise import MAX, Multiplier, multiplier

ONE = 1024
"""Channel factors are in units of 1/1024."""

_BIAS_SHARE = 16.0
"""Biases may be rounded to this fraction of an output step."""


@dataclass(frozen=True)
class WeightGrid:
    """How a layer's weights are rounded.

    Attributes:
        steps: (out,) float64, size of one integer step of each channel's weights.
        factors: (out,) int16, brings each channel's accumulator to the coarsest channel's.
        output: brings that to the output.
    """

    steps: np.ndarray
    factors: np.ndarray
    output: Multiplier


def exact_grid(steps: np.ndarray, bias: np.ndarray, step_in: float, step_out: float) -> WeightGrid:
    """Channel steps at least as large as asked for, so that nothing is clipped.

    Args:
        steps: (out,) real size of an integer step of the weights, from their extremes.
        bias: (out,) real.
        step_in, step_out: of the input and the output tensor; the reciprocals of file scales.
    """
    ratio = step_in * float(steps.max()) / step_out
    shift = multiplier(ratio).shift
    output = _at_least(ratio, shift)
    if output.mult > MAX:
        output = _at_least(ratio, shift - 1)
    # the rule's own unit, so that it reproduces the pair from these scales
    base = output.mult / min(1 << output.shift, MAX) * step_out / step_in
    # A channel of vanishing weights with a bias of its own: the bias has 16 bits as well.
    unit = max(1.0, 1.0 / (_BIAS_SHARE * output.real))
    wanted = np.maximum(steps, np.abs(bias) / (step_in * MAX * unit))
    factors = np.clip(np.ceil(wanted / base * ONE - 1e-9), 1, ONE)
    return WeightGrid(base * factors / ONE, factors.astype(np.int16), output)


def plain_grid(steps: np.ndarray, step_in: float, step_out: float) -> WeightGrid:
    """Steps as they are, factors and multiplier rounded: what the makers' converter does."""
    base = float(steps.max())
    factors = np.maximum(np.rint(steps / base * ONE), 1)
    return WeightGrid(steps, factors.astype(np.int16), multiplier(step_in * base / step_out))


def _at_least(ratio: float, shift: int) -> Multiplier:
    # a ratio on the grid already must not move up by a rounding error
    return Multiplier(max(1, math.ceil(ratio * min(1 << shift, MAX) - 1e-9)), shift)
