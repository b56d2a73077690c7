"""The integer rules, against a file of the makers' converter and against arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from edgectl_ncnn.awnn import fields
from edgectl_ncnn.awnn.integer import Simulator
from edgectl_ncnn.awnn.order import from_npu, to_npu
from edgectl_ncnn.awnn.requantize import Multiplier, bias_fields, multiplier, sum_fields
from edgectl_ncnn.reader.binfile import Block, pack
from edgectl_ncnn.reader.modelfile import read_model
from edgectl_ncnn.reader.paramfile import Layer, read_param

Golden = Callable[[str], Path]


def _scales(layers: list[Layer]) -> dict[str, float]:
    """Blob -> scale as the file says."""
    return {
        blob: scale
        for layer in layers
        for blob, scale in zip(layer.outputs, layer.array(fields.SCALES), strict=True)
    }


def test_makers_pairs_are_reproduced(golden: Golden) -> None:
    """28 of 28: every multiplier of the file whose scales are all in the .param."""
    layers = read_param(golden("awnn/model-5984.awnn.param"))
    scales = _scales(layers)
    seen: Counter[str] = Counter()
    for layer in layers:
        out = scales[layer.outputs[0]]
        if layer.type == "Eltwise":
            a, b = (scales[i] for i in layer.inputs)
            rule = sum_fields((a, b), out)
            assert fields.output_multiplier(layer) == rule.output
            other = fields.read_multiplier(layer, fields.OTHER_MULT, fields.OTHER_SHIFT)
            assert other == rule.other
            assert (layer.integer(fields.BASE) == 1) == (rule.base == 0)
        elif layer.type in ("ReLU", "PReLU", "Pooling"):
            assert fields.output_multiplier(layer) == multiplier(out / scales[layer.inputs[0]])
        else:
            continue
        seen[layer.type] += 1
    assert seen == {"ReLU": 17, "Eltwise": 8, "PReLU": 2, "Pooling": 1}


def test_makers_file_has_a_known_bin(golden: Golden, tmp_path: Path) -> None:
    """Numbers drawn for the file's slots: the simulator runs the makers' own network."""
    path = tmp_path / "m.param"
    path.write_text(golden("awnn/model-5984.awnn.param").read_text())
    rng = np.random.default_rng(0)
    blocks = []
    for slots in fields.layout(read_param(path)):
        for slot in slots:
            low, high, kind = {
                "weight": (-20, 20, np.int8),
                "bias": (-500, 500, np.int16),
                "factor": (1024, 1025, np.int16),
                "slope": (100, 101, np.int16),
            }[slot.name]
            blocks.append(Block(slot, rng.integers(low, high, slot.count).astype(kind)))
    path.with_suffix(".bin").write_bytes(pack(blocks))
    simulator = Simulator(read_model(path, layout=fields.layout))
    assert simulator.input_shape == (224, 224, 3)
    x = rng.normal(size=(1, 3, 224, 224)).astype(np.float32)
    # the makers' .mud says 7, 7, 55
    assert simulator.run(x)["output0"].shape == (1, 55, 7, 7)


@pytest.mark.parametrize(
    ("x", "mult", "shift"),
    [
        (1.0, 32767, 15),  # 32768 does not fit
        (2.0, 16384, 13),
        (0.5, 16384, 15),  # 0.5 * 32767 = 16383.5, half to even
        (27.2 / 32767, 27, 15),
        (32767.0, 32767, 0),
    ],
)
def test_multiplier(x: float, mult: int, shift: int) -> None:
    assert multiplier(x) == Multiplier(mult, shift)


@pytest.mark.parametrize("x", [0.0, -1.0, 40000.0])
def test_no_multiplier(x: float) -> None:
    with pytest.raises(ValueError, match="multiplier"):
        multiplier(x)


def test_a_multiplier_of_one_keeps_every_value() -> None:
    q = torch.arange(-128, 128).double()
    assert (torch.round(q * multiplier(1.0).real) == q).all()


def test_bias_that_does_not_fit() -> None:
    small = bias_fields(np.array([100.4, -32767.0]))
    assert small.values.tolist() == [100, -32767] and small.scale is None
    large = bias_fields(np.array([65534.0, -100.0, 3.9]))
    # 65534 / 32767 = 2: the largest shift whose mult fits is 13
    assert large.scale == Multiplier(16384, 13)
    assert large.values.tolist() == [32767, -50, 1]


@pytest.mark.parametrize("shape", [(8, 32, 3, 3), (9, 33, 1, 1), (64, 3, 7, 7), (5, 70, 2, 3)])
def test_weight_order(shape: tuple[int, ...]) -> None:
    weight = np.arange(np.prod(shape)).reshape(shape)
    flat = to_npu(weight)
    assert sorted(flat) == list(range(weight.size))
    assert (from_npu(flat, shape) == weight).all()


def test_weight_order_by_hand() -> None:
    """Two groups of outputs, one position: 8 outputs of all inputs first, then the ninth."""
    weight = np.arange(9 * 2).reshape(9, 2, 1, 1)
    assert to_npu(weight).tolist() == list(range(18))
    # two positions: the second follows all outputs and inputs of the first
    weight = np.arange(2 * 2 * 2).reshape(2, 2, 1, 2)
    assert to_npu(weight).tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def test_weights_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="7 weights"):
        from_npu(np.zeros(7), (2, 2, 1, 2))
