"""Scales at the edge of what the kernels survive: refused by name beyond it, exact up to it.

The bounds are the kernels' own arithmetic. ADD needs 2 max(s_in) / (2^20 s_out) < 1, SOFTMAX
s_in 2^26 > 1; LiteRT's XNNPACK loads convolutions with s_in s_weight / s_out < 256.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from edgectl_tflite.backend import TfliteBackend
from edgectl_tflite.config import TfliteConfig
from edgectl_tflite.reader.modelfile import ModelFile, parse_model
from edgectl_tflite.runtimes.runtime import RUNTIMES
from edgectl_tflite.runtimes.tflm import MicroInterpreter
from edgectl_tflite.writer.builder import ModelBuilder

from edgectl.backends.contract import WriteRequest
from edgectl.errors import ArtifactError, EdgectlError
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.ranges.scheme import QParams
from edgectl.spec import OutputSpec, PreprocessSpec

SHAPE = (1, 4, 4, 8)
RNG = np.random.default_rng(0)


def _add(scale: float) -> ModelFile:
    builder = ModelBuilder("test")
    x = builder.tensor("x", SHAPE, "int8", scales=[2.0**-8], zero_points=[-128])
    y = builder.tensor("y", SHAPE, "int8", scales=[scale], zero_points=[-128])
    builder.operation("ADD", 2, [x, x], y, "AddOptions")
    return parse_model(builder.finish({"x": x}, {"y": y}))


def _softmax(scale: float) -> ModelFile:
    builder = ModelBuilder("test")
    x = builder.tensor("x", SHAPE, "int8", scales=[scale], zero_points=[0])
    y = builder.tensor("y", SHAPE, "int8", scales=[2.0**-8], zero_points=[-128])
    builder.operation("SOFTMAX", 2, [x], y, "SoftmaxOptions", beta=1.0)
    return parse_model(builder.finish({"x": x}, {"y": y}))


def _conv(scale: float) -> ModelFile:
    builder = ModelBuilder("test")
    x = builder.tensor("x", SHAPE, "int8", scales=[2.0**-8], zero_points=[-128])
    weight = RNG.integers(-127, 128, (8, 3, 3, 8)).astype(np.int8)
    bias = RNG.integers(-3_000_000, -2_400_000, 8).astype(np.int32)
    inputs = [
        x,
        builder.tensor(
            "weight",
            weight.shape,
            "int8",
            scales=[2.0**-7] * 8,
            zero_points=[0] * 8,
            data=weight,
        ),
        builder.tensor(
            "bias", (8,), "int32", scales=[2.0**-15] * 8, zero_points=[0] * 8, data=bias
        ),
    ]
    y = builder.tensor("y", SHAPE, "int8", scales=[scale], zero_points=[-128])
    fields = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    builder.operation("CONV_2D", 3, inputs, y, "Conv2DOptions", **fields)
    return parse_model(builder.finish({"x": x}, {"y": y}))


def _bytes(model: ModelFile) -> tuple[np.ndarray, np.ndarray]:
    x = RNG.integers(-128, 128, SHAPE).astype(np.int8)
    return IntegerExecutor(model).run(x)[0], MicroInterpreter(model).run([x])[0]


@pytest.mark.parametrize(("make", "bound"), [(_add, 2.0**-27), (_softmax, 2.0**-26)])
def test_what_would_abort_is_refused(tflm: None, make: Any, bound: float) -> None:
    ours, theirs = _bytes(make(bound * (1 + 2.0**-20)))
    assert (ours == theirs).all()
    for runtime in RUNTIMES.values():
        with pytest.raises(ArtifactError, match="'y' aborts the process"):
            runtime(make(bound), ())


@pytest.mark.parametrize(("scale", "wraps"), [(2.0**-20, False), (2.0**-28, True)])
def test_sums_overflow_as_on_the_device(tflm: None, scale: float, wraps: bool) -> None:
    """Every sum is negative (72 products of 255 * 127 are less than the bias), so exact output is
    -128 throughout; shifted left by 13 bits the sums leave 32 bits, and some come back positive."""
    ours, theirs = _bytes(_conv(scale))
    assert (ours == theirs).all()
    assert (ours > -128).any() == wraps


def test_a_dead_layer_is_not_written(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = nets.Net((8, 8))
    dead = net.conv("input", 4)
    graph = net.graph(net.conv(dead, 2))
    quantized = nets.quantize(graph, nets.images_for(graph, 2))
    quantized.activations[dead] = QParams(1e-9, -128)
    with pytest.raises(ArtifactError, match=f"CONV_2D '{dead}' is refused by LiteRT") as e:
        TfliteBackend().write(
            WriteRequest(
                graph=quantized,
                directory=tmp_path,
                outputs=(OutputSpec("cells", "cell_logits", 1, 2),),
                preprocess=PreprocessSpec((8, 8)),
                classes=("mask",),
                precision="int8",
                config=TfliteConfig(),
            )
        )
    assert e.value.fix is not None and "--calib" in e.value.fix
    assert not list(tmp_path.iterdir())


def test_random_damage_ends_in_an_error_of_ours(nets: SimpleNamespace) -> None:
    """Any other exception fails the test; files that survive the damage run."""
    net = nets.Net((8, 8))
    x = net.conv("input", 8)
    net.op("softmax", net.op("add", x, net.depthwise(x)))
    graph = net.graph()
    data = nets.write(nets.quantize(graph, nets.images_for(graph, 2))).data
    image = np.zeros((1, 8, 8, 3), np.uint8)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for position in RNG.integers(8, len(data), 4):
            # Zeros and small numbers: large ones only make enormous, honest tensors.
            damaged[position] = RNG.integers(0, 4)
        try:
            RUNTIMES["integer"](parse_model(bytes(damaged)), ())(image)
        except EdgectlError:
            refused += 1
    assert 0 < refused < 150
