"""Functions of one int8 element as the table of 256 bytes the kernels compute.

The kernels have three ways: gemmlowp's fixed point (LOGISTIC, TANH), the rescaling arithmetic of their other
ops (LEAKY_RELU, RSQRT, QUANTIZE), and a table filled in float (ELU, EXP, GELU). Entry 0 belongs to -128.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from edgectl.quant.integer.fixedpoint import (
    Int,
    Rescale,
    high_product,
    quantize_multiplier,
    rounding_shift,
)
from edgectl.quant.integer.gemmlowp import inverse_root, logistic_table, tanh_table
from edgectl.quant.ranges.scheme import QParams

_BYTES = np.arange(-128, 128, dtype=np.int64)
_ROOT_SHIFT = 20

Options = Mapping[str, object]
Table = Callable[[QParams, QParams, Options], np.ndarray]


def _clipped(values: Int | np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(values, -128, 127), np.int8)


def _logistic(source: QParams, target: QParams, options: Options) -> np.ndarray:
    if (target.scale, target.zero_point) != (1.0 / 256.0, -128):
        raise ValueError("output parameters other than 1/256, -128")
    return logistic_table(source.scale, source.zero_point)


def _tanh(source: QParams, target: QParams, options: Options) -> np.ndarray:
    if (target.scale, target.zero_point) != (1.0 / 128.0, 0):
        raise ValueError("output parameters other than 1/128, 0")
    return tanh_table(source.scale, source.zero_point)


def _leaky_relu(source: QParams, target: QParams, options: Options) -> np.ndarray:
    # the kernel multiplies float by float, in single precision
    slope = np.float32(np.float32(source.scale) * np.float32(float(str(options["alpha"]))))
    ratios = (source.scale / target.scale, float(slope) / target.scale)
    x = _BYTES - source.zero_point
    above, below = (_signed_rescale(x, r) for r in ratios)
    return _clipped(np.where(x >= 0, above, below) + target.zero_point)


def _signed_rescale(x: Int, factor: float) -> Int:
    """Rescale by a factor that may be negative: the multiplier then is."""
    if factor >= 0.0:
        return Rescale([factor])(x)
    multiplier, shift = quantize_multiplier(-factor)
    raised = x << max(shift, 0)
    return rounding_shift(high_product(raised, -multiplier), max(-shift, 0))


def _requantize(source: QParams, target: QParams, options: Options) -> np.ndarray:
    x = Rescale([source.scale / target.scale])(_BYTES - source.zero_point)
    return _clipped(x + target.zero_point)


def _rsqrt(source: QParams, target: QParams, options: Options) -> np.ndarray:
    multiplier, shift = quantize_multiplier(
        float(np.float32(1.0) / (np.sqrt(np.float32(source.scale)) * np.float32(target.scale)))
    )
    table = np.full(256, 127, np.int64)
    for i, value in enumerate(_BYTES - source.zero_point):
        if value > 0:
            root, root_shift = inverse_root(int(value))
            raised = _multiply(1, root, root_shift + _ROOT_SHIFT)
            table[i] = _multiply(raised, multiplier, shift - _ROOT_SHIFT) + target.zero_point
    return _clipped(table)


def _multiply(x: int, multiplier: int, shift: int) -> int:
    raised = np.asarray(x << max(shift, 0), np.int64)
    return int(rounding_shift(high_product(raised, multiplier), max(-shift, 0)))


def _in_float(function: Callable[[np.ndarray], np.ndarray]) -> Table:
    """A table filled in single precision, rounded half away from zero."""

    def table(source: QParams, target: QParams, options: Options) -> np.ndarray:
        x = np.float32(source.scale) * (_BYTES - source.zero_point).astype(np.float32)
        y = function(x).astype(np.float32) * (np.float32(1.0) / np.float32(target.scale))
        rounded = np.trunc(y + np.copysign(np.float32(0.5), y).astype(np.float64))
        return _clipped(np.clip(rounded, -1e6, 1e6).astype(np.int64) + target.zero_point)

    return table


def _gelu(source: QParams, target: QParams, options: Options) -> np.ndarray:
    return _in_float(_gelu_tanh if options.get("approximate") else _gelu_erf)(
        source, target, options
    )


def _gelu_erf(x: np.ndarray) -> np.ndarray:
    half_root = np.float32(math.sqrt(0.5))
    tail = np.array([math.erfc(-float(v)) for v in x * half_root], np.float32)
    return np.asarray(np.float32(0.5) * x * tail)


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    factor = np.float32(math.sqrt(2.0 / math.pi))
    inner = factor * (x + np.float32(0.044715) * x * x * x)
    outer = np.float32(1.0) + np.tanh(inner.astype(np.float64)).astype(np.float32)
    return np.asarray(np.float32(0.5) * x * outer)


def _elu(x: np.ndarray) -> np.ndarray:
    y = np.where(x < 0, np.expm1(np.minimum(x, 0).astype(np.float64)).astype(np.float32), x)
    return np.asarray(y, np.float32)


TABLES: dict[str, Table] = {
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "LEAKY_RELU": _leaky_relu,
    "RSQRT": _rsqrt,
    "QUANTIZE": _requantize,
    "ELU": _in_float(_elu),
    "EXP": _in_float(lambda x: np.exp(x.astype(np.float64)).astype(np.float32)),
    "GELU": _gelu,
}
"""By op. Each raises ValueError for parameters its kernel does not take."""
