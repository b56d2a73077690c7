"""Files of other programs in fewer words: the same bytes as LiteRT's reference kernels give for the file."""

from __future__ import annotations

import numpy as np
import pytest
from edgectl_tflite.reader.modelfile import ModelFile, parse_model
from edgectl_tflite.runtimes.runtime import LiteRtRunner
from edgectl_tflite.writer.builder import ModelBuilder

from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.rewrites import simplify_program

SHAPE = (1, 4, 5, 3)


def tiled(source: str, *, summed: bool) -> ModelFile:
    """An image, its first row and column repeated over it, and what reads that."""
    builder = ModelBuilder("test")
    q = {"scales": [0.02], "zero_points": [-3]}
    zero = 125 if source == "uint8" else -3
    x = builder.tensor("x", SHAPE, source, scales=[0.02], zero_points=[zero])
    image = x
    if source == "uint8":
        image = builder.tensor("image", SHAPE, "int8", **q)
        builder.operation("QUANTIZE", 1, [x], image, "QuantizeOptions")
    first = builder.tensor("first", (1, 1, 1, 3), "int8", **q)
    bounds = [
        builder.tensor(f"b{i}", (4,), "int32", data=np.array(v, np.int32))
        for i, v in enumerate(([0] * 4, [1, 1, 1, 3], [1] * 4))
    ]
    masks = dict.fromkeys(
        ("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask"), 0
    )
    builder.operation("STRIDED_SLICE", 2, [image, *bounds], first, "StridedSliceOptions", **masks)
    counts = builder.tensor("counts", (4,), "int32", data=np.array([1, 4, 5, 1], np.int32))
    y = builder.tensor("tiled", SHAPE, "int8", **q)
    builder.operation("TILE", 2, [first, counts], y, "TileOptions")
    if summed:
        total = builder.tensor("total", SHAPE, "int8", scales=[0.04], zero_points=[4])
        builder.operation("ADD", 2, [y, image], total, "AddOptions")
        y = total
    return parse_model(builder.finish({"x": x}, {"y": y}))


@pytest.mark.parametrize("source", ["int8", "uint8"])
@pytest.mark.parametrize("summed", [False, True])
def test_repetitions_and_inputs_that_are_quantized_first(source: str, summed: bool) -> None:
    model = tiled(source, summed=summed)
    program = simplify_program(model)
    assert "TILE" not in {op.name for op in program.operations}
    assert program.tensors[program.inputs[0]].dtype == "int8"
    images = np.random.default_rng(0).integers(0, 256, (2, *SHAPE[1:]), np.uint8)
    (want,) = LiteRtRunner(model, reference=True).raw(images)
    (got,) = IntegerExecutor(program).run((images ^ 0x80).view(np.int8))
    assert np.array_equal(got, want)
