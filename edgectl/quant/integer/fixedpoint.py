"""Fixed-point rescaling as TensorFlow Lite's reference kernels do it, vectorized over integers.

A real factor becomes ``multiplier * 2**(shift - 31)`` with a 31-bit multiplier. Applying it rounds
twice: once when the 63-bit product is halved to 32 bits, once in the final shift. That second
rounding is why the result is not simply ``round(x * factor)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

Int = np.ndarray
"""int64 arrays holding int32 values."""


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """(multiplier, shift) of ``multiplier * 2**(shift - 31)``, multiplier in [2**30, 2**31)."""
    mantissa, shift = math.frexp(factor)
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    # Smaller factors than 2**-32 flush to zero in the kernels.
    return (0, 0) if shift < -31 else (multiplier, shift)


def high_product(a: Int | int, b: Int | int) -> Int:
    """round(a * b / 2**31), ties towards plus infinity: the "saturating rounding doubling" product.

    Its one saturating case, both operands -2**31, does not occur: a multiplier is positive.
    """
    product = np.asarray(np.multiply(a, b, dtype=np.int64))
    product += 1 << 30
    product >>= 31
    return product


def rounding_shift(x: Int, bits: Int | int) -> Int:
    """round(x / 2**bits), ties away from zero. ``bits`` >= 0, broadcast against ``x``."""
    half = np.right_shift(np.left_shift(np.int64(1), bits), 1)
    # Adding half and flooring takes negative ties upwards; one less takes them away from zero.
    any_rounding = -(half > 0).astype(np.int64)
    y = np.asarray(x >> 63)
    y &= any_rounding
    y += x
    y += half
    y >>= bits
    return y


def wrap_int32(x: Int) -> Int:
    """The low 32 bits as a signed number: the kernels' left shift overflows silently."""
    return np.asarray(((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31))


class Rescale:
    """Multiplies by the only factor given, or by one factor a channel (last dimension)."""

    def __init__(self, factors: Iterable[float]) -> None:
        pairs = [quantize_multiplier(f) for f in factors]
        shift = np.array([s for _, s in pairs], np.int64)
        self._set(multiplier=np.array([m for m, _ in pairs], np.int64), shift=shift)

    def _set(self, multiplier: Int, shift: Int) -> None:
        self._multiplier, self._shift = multiplier, shift
        self._left, self._right = np.maximum(shift, 0), np.maximum(-shift, 0)

    def divided_by(self, count: int) -> Rescale:
        """The same factor over ``count``, as MEAN forms it: the multiplier takes up the division.

        It is raised by floor(log2(count)) bits first, so that it keeps its 31.
        """
        bits = min(count.bit_length() - 1, 32, 31 + int(self._shift.min()))
        divided = Rescale(())
        divided._set((self._multiplier << bits) // count, self._shift - bits)
        return divided

    def __call__(self, x: Int) -> Int:
        """x: int64. Returns a new int64 array."""
        if self._left.any():
            x = wrap_int32(x << self._left)
        return rounding_shift(high_product(x, self._multiplier), self._right)


def activation_bounds(name: str, scale: float, zero_point: int) -> tuple[int, int]:
    """The fused clamp in int8: quantized in float32, ties away from zero, as the kernels do."""

    def q(value: float) -> int:
        ratio = np.float32(value) / np.float32(scale)
        return int(np.trunc(ratio + np.copysign(np.float32(0.5), ratio))) + zero_point

    low, high = {
        "NONE": (-128, 127),
        "RELU": (q(0.0), 127),
        "RELU6": (q(0.0), q(6.0)),
        "RELU_N1_TO_1": (q(-1.0), q(1.0)),
    }[name]
    return max(low, -128), min(high, 127)
