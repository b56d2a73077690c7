"""Fixed-point building blocks against exact fractions and against the real kernels."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from edgectl_tflite.reader.modelfile import ModelFile, parse_model
from edgectl_tflite.runtimes.runtime import LiteRtRunner
from edgectl_tflite.runtimes.tflm import MicroInterpreter
from edgectl_tflite.writer.builder import ModelBuilder

from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.fixedpoint import (
    Rescale,
    activation_bounds,
    high_product,
    quantize_multiplier,
    rounding_shift,
)

RNG = np.random.default_rng(0)
WORDS = np.concatenate(
    [RNG.integers(-(1 << 31), 1 << 31, 200), [0, 1, -1, 2, -2, (1 << 31) - 1, -(1 << 31)]]
).astype(np.int64)


@pytest.mark.parametrize("bits", [0, 1, 5, 23, 31])
def test_rounding_shift_takes_ties_away_from_zero(bits: int) -> None:
    def expected(x: int) -> int:
        magnitude = math.floor(Fraction(abs(x), 1 << bits) + Fraction(1, 2))
        return magnitude if x >= 0 else -magnitude

    assert rounding_shift(WORDS, bits).tolist() == [expected(int(x)) for x in WORDS]


def test_high_product_is_the_rounded_upper_half() -> None:
    other = np.int64(1_518_500_250)
    exact = [math.floor(Fraction(int(x) * int(other), 1 << 31) + Fraction(1, 2)) for x in WORDS]
    assert high_product(WORDS, other).tolist() == exact


@pytest.mark.parametrize("factor", [0.0, 1e-12, 2.0**-32, 0.1, 0.5, 0.999999999999, 1.0, 3.7])
def test_multiplier_represents_the_factor(factor: float) -> None:
    multiplier, shift = quantize_multiplier(factor)
    assert multiplier == 0 or 1 << 30 <= multiplier < 1 << 31
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(factor, rel=2.0**-30, abs=2.0**-32)


def test_two_roundings_differ_from_one() -> None:
    """The reason the executor exists: 0.5 - 2**-33 rounds to 0 once, but to 1 in two steps."""
    factor = 0.5 - 2.0**-33
    assert round(factor) == 0
    assert Rescale([factor])(np.array([1], np.int64)).tolist() == [1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NONE", (-128, 127)),
        ("RELU", (-28, 127)),
        ("RELU6", (-28, 32)),
        ("RELU_N1_TO_1", (-38, -18)),
    ],
)
def test_activation_bounds(name: str, expected: tuple[int, int]) -> None:
    assert activation_bounds(name, 0.1, -28) == expected


def _one_op(op: str, shape: tuple[int, ...], scale: float, zero: int, **options: Any) -> ModelFile:
    builder = ModelBuilder("test")
    x = builder.tensor("x", shape, "int8", scales=[scale], zero_points=[zero])
    y = builder.tensor("y", shape, "int8", scales=[1 / 256], zero_points=[-128])
    builder.operation(op, 2, [x], y, **options)
    return parse_model(builder.finish({"x": x}, {"y": y}))


def _same(model: ModelFile, x: np.ndarray) -> bool:
    (ours,), (theirs,) = IntegerExecutor(model).run(x), MicroInterpreter(model).run([x])
    return bool((ours == theirs).all())


@pytest.mark.usefixtures("tflm")
def test_logistic_over_scales() -> None:
    every_byte = np.arange(-128, 128, dtype=np.int8)[None]
    for _ in range(100):
        scale, zero = float(np.float32(10 ** RNG.uniform(-6, 1.5))), int(RNG.integers(-128, 128))
        assert _same(_one_op("LOGISTIC", (1, 256), scale, zero), every_byte), (scale, zero)


@pytest.mark.usefixtures("tflm")
def test_softmax_over_scales() -> None:
    for _ in range(100):
        scale, classes = float(np.float32(10 ** RNG.uniform(-6, 1.5))), int(RNG.integers(1, 40))
        model = _one_op("SOFTMAX", (1, 20, classes), scale, 0, options="SoftmaxOptions", beta=1.0)
        spread = RNG.normal(0, 10 ** RNG.uniform(0, 2.2), (1, 20, classes))
        assert _same(model, np.clip(spread, -128, 127).astype(np.int8)), (scale, classes)


TABLE_OPS = {
    "TANH": (None, {}, True),
    "ELU": (None, {}, True),
    "RSQRT": (None, {}, True),
    "LEAKY_RELU": ("LeakyReluOptions", {"alpha": 0.1}, True),
    "QUANTIZE": ("QuantizeOptions", {}, True),
    "EXP": ("ExpOptions", {}, False),
    "GELU": ("GeluOptions", {"approximate": False}, False),
}
"""Option table, options, whether the micro interpreter has it; else LiteRT's reference kernel judges."""


@pytest.mark.usefixtures("tflm")
@pytest.mark.parametrize("op", TABLE_OPS)
def test_tables_over_scales(op: str) -> None:
    options, fields, micro = TABLE_OPS[op]
    x = np.arange(-128, 128, dtype=np.int8)[None]
    for k in range(16):
        scale, zero = float(np.float32(10 ** RNG.uniform(-4, 0.5))), int(RNG.integers(-128, 128))
        target = (float(np.float32(10 ** RNG.uniform(-3, 0))), int(RNG.integers(-128, 128)))
        if op == "TANH":
            target = (1 / 128, 0)
        if op == "RSQRT":
            zero = -128
        if op == "LEAKY_RELU":
            fields = {"alpha": float(np.float32(RNG.uniform(-0.5, 1.5)))}
        if op == "GELU":
            fields = {"approximate": k % 2 == 1}
        builder = ModelBuilder("test")
        a = builder.tensor("x", (1, 256), "int8", scales=[scale], zero_points=[zero])
        b = builder.tensor("y", (1, 256), "int8", scales=target[:1], zero_points=target[1:])
        builder.operation(op, 2, [a], b, options, **fields)
        model = parse_model(builder.finish({"x": a}, {"y": b}))
        theirs = (
            MicroInterpreter(model).run([x])
            if micro
            else LiteRtRunner(model, reference=True).execute(x)
        )
        (ours,) = IntegerExecutor(model).run(x)
        assert (ours == theirs[0]).all(), (op, scale, zero, target, fields)
