"""TensorFlow Lite Micro's int8 arithmetic in numpy, to the last bit.

Fixed point after gemmlowp (Jacob et al., 2017, arXiv:1712.05877) with double rounding: a saturating
rounding doubling high multiply, then a rounding shift right. Values are int64 holding int32 results.
"""

from __future__ import annotations

import functools
import math

import numpy as np

Ints = np.ndarray


def quantize_multiplier(real: float) -> tuple[int, int]:
    """``real`` as (31-bit multiplier, exponent): real ~ multiplier * 2 ** (exponent - 31)."""
    if real == 0.0:
        return 0, 0
    fraction, exponent = math.frexp(real)
    q = math.floor(fraction * (1 << 31) + 0.5)
    if q == 1 << 31:
        q, exponent = q // 2, exponent + 1
    if exponent < -31:
        return 0, 0
    if exponent > 30:
        return (1 << 31) - 1, 30
    return q, exponent


def rescale(x: Ints, multiplier: Ints | int, exponent: Ints | int) -> Ints:
    """x * multiplier * 2 ** (exponent - 31), rounded twice as the device does. Broadcasts."""
    shift = np.asarray(exponent, np.int64)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    product = (x.astype(np.int64) << left) * np.asarray(multiplier, np.int64)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    # C++ divides towards zero, >> rounds down
    high = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))
    mask = (np.int64(1) << right) - 1
    threshold = (mask >> 1) + (high < 0)
    result: Ints = (high >> right) + ((high & mask) > threshold)
    return result


def activation_bounds(fused: int, scale: float, zero_point: int) -> tuple[int, int]:
    """Codes a fused activation clamps to: 0 none, 1 ReLU, 3 ReLU6 (2, ReLU -1..1, as well)."""

    def code(value: float) -> int:
        ratio = np.float32(value) / np.float32(scale)
        return zero_point + int(math.copysign(math.floor(abs(float(ratio)) + 0.5), float(ratio)))

    low, high = -128, 127
    if fused == 1:
        low = max(low, code(0.0))
    elif fused == 2:
        low, high = max(low, code(-1.0)), min(high, code(1.0))
    elif fused == 3:
        low, high = max(low, code(0.0)), min(high, code(6.0))
    return low, high


def quantize_input(real: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Float to int8, computed in float32: in float64 ties fall differently."""
    codes = np.rint(real.astype(np.float32) / np.float32(scale)) + zero_point
    return np.clip(codes, -128, 127).astype(np.int8)


def add(
    a: Ints, b: Ints, qa: tuple[float, int], qb: tuple[float, int], out: tuple[float, int]
) -> Ints:
    """Sum before clamping; arguments are (scale, zero point) pairs of float32 scales."""
    headroom = 20
    twice = 2.0 * max(qa[0], qb[0])
    total: Ints = np.zeros(1, np.int64)
    for x, (scale, zero_point) in ((a, qa), (b, qb)):
        shifted = (x.astype(np.int64) - zero_point) << headroom
        total = total + rescale(shifted, *quantize_multiplier(scale / twice))
    return rescale(total, *quantize_multiplier(twice / ((1 << headroom) * out[0]))) + out[1]


def multiply(
    a: Ints, b: Ints, qa: tuple[float, int], qb: tuple[float, int], out: tuple[float, int]
) -> Ints:
    """Product before clamping."""
    product = (a.astype(np.int64) - qa[1]) * (b.astype(np.int64) - qb[1])
    return rescale(product, *quantize_multiplier(qa[0] * qb[0] / out[0])) + out[1]


def mean(x: Ints, axes: tuple[int, ...], q: tuple[float, int], out: tuple[float, int]) -> Ints:
    """Average with the division folded into the multiplier, dimensions kept."""
    count = math.prod(x.shape[a] for a in axes)
    multiplier, exponent = quantize_multiplier(q[0] / out[0])
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    multiplier, exponent = (multiplier << shift) // count, exponent - shift
    total = (x.astype(np.int64) - q[1]).sum(axis=axes, keepdims=True)
    return rescale(total, multiplier, exponent) + out[1]


def average(windows_sum: Ints, count: int) -> Ints:
    """Sum of codes to their average, halves away from zero."""
    half = count // 2
    result: Ints = np.where(
        windows_sum > 0, (windows_sum + half) // count, -((-windows_sum + half) // count)
    )
    return result


@functools.cache
def logistic_table(scale: float, zero_point: int) -> np.ndarray:
    """(256,) int8: output code of every input code, index 0 for -128.

    Read from the reference kernel itself, through a model of that one operator: its fixed-point
    exponential is a long chain of roundings, and a table is a proof.
    """
    from edgectl.quant.scheme import QParams

    from edgectl_tflite.flatfile import FlatFile
    from edgectl_tflite.runtime import reference_interpreter

    file = FlatFile()
    shape = (1, 256)
    source = file.activation("x", shape, QParams(scale, zero_point))
    target = file.activation("y", shape, QParams(1.0 / 256.0, -128))
    file.operator("LOGISTIC", [source], target, version=2)
    interpreter = reference_interpreter(file.finish({"x": source}, {"y": target}))
    interpreter.set_tensor(source, np.arange(-128, 128, dtype=np.int8)[None])
    interpreter.invoke()
    return np.array(interpreter.get_tensor(target)[0])
