"""exp, reciprocal, logistic and softmax in 32-bit fixed point, as gemmlowp defines them.

TensorFlow Lite's int8 LOGISTIC and SOFTMAX reference kernels are built on these functions
(gemmlowp, ``fixedpoint/fixedpoint.h``). A number with ``i`` integer bits is an integer ``raw``
standing for ``raw / 2**(31 - i)``. All arguments and results are int64 arrays of int32 values.
"""

from __future__ import annotations

import math

import numpy as np

from edgectl.quant.integer.fixedpoint import Int, high_product, quantize_multiplier, rounding_shift

_ONE = (1 << 31) - 1
"""1.0 with no integer bits saturates to the largest value."""

_EXP_POWERS = ((-2, 1672461947), (-1, 1302514674), (0, 790015084), (1, 290630308))
_EXP_POWERS_HIGH = ((2, 39332535), (3, 720401), (4, 242))
"""(e, raw of exp(-2**e)) for the barrel shifter."""

_ACCUMULATOR_BITS = 12
_LOGISTIC_BITS, _SOFTMAX_BITS = 4, 5
"""Integer bits of the sum of exponentials and of the two kernels' scaled inputs."""


def _shift_up(x: Int, bits: int) -> Int:
    """x * 2**bits, saturated to int32."""
    return np.asarray(np.clip(x << bits, -(1 << 31), _ONE))


def _exp_near_zero(a: Int) -> Int:
    """exp(a) for a in [-1/4, 0), no integer bits: Taylor's series to x^4 about -1/8."""
    x = a + (1 << 28)
    x2 = high_product(x, x)
    x3 = high_product(x2, x)
    x4 = high_product(x2, x2)
    third = 715827883
    tail = rounding_shift(high_product(rounding_shift(x4, 2) + x3, third) + x2, 1)
    at_minus_eighth = 1895147668
    return at_minus_eighth + high_product(x + tail, at_minus_eighth)


def exp_negative(a: Int, integer_bits: int) -> Int:
    """exp(a) for a <= 0 with ``integer_bits`` <= 5; the result has no integer bits."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    near_zero = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(_shift_up(near_zero, integer_bits))
    remainder = near_zero - a
    for exponent, factor in _EXP_POWERS + _EXP_POWERS_HIGH:
        if exponent < integer_bits:
            set_bit = (remainder >> (fraction_bits + exponent)) & 1
            result = np.where(set_bit == 1, high_product(result, factor), result)
    return np.where(a == 0, _ONE, result)


def reciprocal_of_one_plus(a: Int) -> Int:
    """1 / (1 + a) for a in [0, 1], no integer bits: three Newton steps on half the denominator."""
    total = a + _ONE
    half_denominator = (total + 1) >> 1  # the sum is not negative: rounding half up
    one = 1 << 29  # with two integer bits
    x = 1515870810 + high_product(half_denominator, -1010580540)  # 48/17 - 32/17 * d
    for _ in range(3):
        error = one - high_product(half_denominator, x)
        x = x + _shift_up(high_product(x, error), 2)
    return _shift_up(x, 1)


def _ratio(a: Int) -> Int:
    """(1 - a) / (1 + a) for a in [0, 1], no integer bits: the same steps."""
    half_denominator = (a + _ONE + 1) >> 1
    one = 1 << 29
    x = 1515870810 + high_product(half_denominator, -1010580540)
    for _ in range(3):
        error = one - high_product(half_denominator, x)
        x = x + _shift_up(high_product(x, error), 2)
    return _shift_up(x - one, 2)


def _input_radius(integer_bits: int, shift: int) -> int:
    """Largest difference the scaled input can hold."""
    limit = ((1 << integer_bits) - 1) * (1 << (31 - integer_bits))
    return math.floor(limit / 2.0**shift)


def _rescale_bytes(scale: float, zero_point: int) -> tuple[np.ndarray, int, np.ndarray]:
    """For the input bytes -128 .. 127: their distances from the zero point, the largest of those that can be
    held, and the distances in fixed point with four integer bits, held within it."""
    x = np.arange(-128, 128, dtype=np.int64) - zero_point
    multiplier, shift = quantize_multiplier(scale * 2.0 ** (31 - _LOGISTIC_BITS))
    radius = _input_radius(_LOGISTIC_BITS, shift)
    inside = np.clip(x, 1 - radius, radius - 1)
    scaled = high_product(inside << max(shift, 0), multiplier)
    scaled = rounding_shift(scaled, max(-shift, 0))
    return x, radius, scaled


def logistic_table(scale: float, zero_point: int) -> np.ndarray:
    """int8 (256,): the LOGISTIC kernel's output for the input bytes -128 .. 127."""
    x, radius, scaled = _rescale_bytes(scale, zero_point)
    positive = reciprocal_of_one_plus(exp_negative(-np.abs(scaled), _LOGISTIC_BITS))
    y = np.where(scaled < 0, _ONE - positive, positive)
    y = np.where(scaled == 0, 1 << 30, y)
    q = np.clip(rounding_shift(y, 31 - 8) - 128, -128, 127)
    q = np.where(x <= -radius, -128, np.where(x >= radius, 127, q))
    return q.astype(np.int8)


def tanh_table(scale: float, zero_point: int) -> np.ndarray:
    """int8 (256,): the TANH kernel's output for the input bytes -128 .. 127."""
    x, radius, scaled = _rescale_bytes(scale, zero_point)
    # twice the argument: the same bits with one integer bit more
    ratio = _ratio(exp_negative(-np.abs(scaled), _LOGISTIC_BITS + 1))
    y = np.where(scaled < 0, -ratio, np.where(scaled == 0, 0, ratio))
    q = np.clip(rounding_shift(y, 31 - 7), -128, 127)
    return np.where(x <= -radius, -128, np.where(x >= radius, 127, q)).astype(np.int8)


def inverse_root(value: int) -> tuple[int, int]:
    """(multiplier, shift) of 1 / sqrt(value), value > 0: five Newton steps with three integer bits."""
    if value <= 1:
        return _ONE, 0
    shift = 11
    while value >= 1 << 29:
        value, shift = value // 4, shift + 1
    pairs = (32 - value.bit_length() - 1) // 2 - 1
    shift -= pairs
    half = np.asarray(value << (2 * pairs) >> 1, np.int64)
    quarter = rounding_shift(half, 1)
    x = np.asarray(1 << 28, np.int64)
    for _ in range(5):
        cube = _shift_up(high_product(high_product(x, x), x), 6)
        x = _shift_up(high_product((1 << 28) + (1 << 27), x) - high_product(quarter, cube), 3)
    multiplier = int(high_product(x, 1518500250))
    if shift < 0:
        multiplier, shift = multiplier << -shift, 0
    return multiplier, -shift


def exponentials(scale: float, beta: float = 1.0) -> tuple[np.ndarray, int]:
    """exp of minus 0, 1, ... 255 steps of a SOFTMAX input, no integer bits, and how many of them the
    kernel counts."""
    factor = min(beta * scale * 2.0 ** (31 - _SOFTMAX_BITS), 2.0**31 - 1.0)
    multiplier, shift = quantize_multiplier(factor)
    radius = _input_radius(_SOFTMAX_BITS, shift)
    held = np.maximum(-np.arange(256, dtype=np.int64), -radius)
    # Factors of one and more only shift left; smaller ones are not met with in trained networks,
    # where a step of the input is never as small as 2**-26.
    values = exp_negative(high_product(held << shift, multiplier), _SOFTMAX_BITS)
    return values, min(radius, 255) + 1


def softmax(q: np.ndarray, scale: float, beta: float = 1.0) -> np.ndarray:
    """The SOFTMAX kernel over the last dimension. q: int8 (..., C); returns int8."""
    values, count = exponentials(scale, beta)
    counted = np.arange(256) < count
    terms = np.where(counted, rounding_shift(values, _ACCUMULATOR_BITS), 0)
    index = q.max(axis=-1, keepdims=True).astype(np.int64) - q
    total = terms[index].sum(axis=-1, keepdims=True)
    _, exponent = np.frexp(total.astype(np.float64))
    headroom = 32 - exponent.astype(np.int64)  # leading zeros of the 32-bit sum
    scaled_sum = (total << headroom) - (1 << 31)
    reciprocal = reciprocal_of_one_plus(scaled_sum)
    bits = _ACCUMULATOR_BITS - headroom + 31 - 8
    y = rounding_shift(high_product(reciprocal, values[index]), bits)
    y = np.clip(y - 128, -128, 127)
    return np.where(counted[index], y, -128).astype(np.int8)
