"""Reading and writing the two files: byte-equal round trips, and every kind of damage by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgectl_ncnn.reader.binfile import BinReader, Block, pack
from edgectl_ncnn.reader.layers import Slot
from edgectl_ncnn.reader.modelfile import read_model
from edgectl_ncnn.reader.paramfile import format_param, make_layer, parse_param, read_param

from edgectl.errors import ArtifactError

Golden = Callable[[str], Path]

TINY = """7767517
3 3
Input                    in0                      0 1 in0 0=4 1=4 2=3
Convolution              conv                     1 1 in0 x 0=2 1=1 5=1 6=6
ReLU                     relu                     1 1 x out0
"""


def _tiny(directory: Path, param: str = TINY, bin_: bytes | None = None) -> Path:
    path = directory / "m.param"
    path.write_text(param)
    if bin_ is None:
        bin_ = bytes(4) + np.arange(8, dtype=np.float32).tobytes()
    path.with_suffix(".bin").write_bytes(bin_)
    return path


@pytest.mark.parametrize("name", ["squeezenet_v1.1.ncnn", "nanodet_m.ncnn"])
def test_foreign_model_round_trip(golden: Golden, name: str) -> None:
    path = golden(name + ".param")
    model = read_model(path)
    assert model.param_text() == path.read_text()
    assert model.bin_bytes() == path.with_suffix(".bin").read_bytes()


def test_foreign_facts(golden: Golden) -> None:
    squeezenet = read_model(golden("squeezenet_v1.1.ncnn.param"))
    assert squeezenet.inputs == ("data",) and squeezenet.outputs == ("prob",)
    # Iandola et al., 2016 give 1 235 496 parameters for SqueezeNet 1.1.
    assert squeezenet.parameters == 1_235_496


def test_maixhub_param_round_trip(golden: Golden) -> None:
    path = golden("awnn/model-5984.awnn.param")
    assert format_param(read_param(path)) == path.read_text()


def test_numbers() -> None:
    layer = make_layer("Clip", "c", ["a"], ["b"], {0: 0.0, 1: 6.0, 2: 7, 10: [0.5, 2.0]})
    assert layer.params[1] == "6.00000000e+00"  # "6" would be read as an integer's bits
    (again,) = parse_param(format_param([make_layer("Input", "i", [], ["a"]), layer]))[1:]
    assert again == layer
    assert (again.number(1), again.integer(2), again.array(10)) == (6.0, 7, [0.5, 2.0])
    smallest = make_layer("Clip", "c", [], [], {0: -1.23456789e-38}).params[0]
    assert len(smallest) == 15  # what ncnn's parser reads of a number
    assert again.array(3) == [] and again.integer(9, 4) == 4


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.int16])
def test_tagged_numbers(dtype: type) -> None:
    slots = [Slot("weight", 5, tagged=True), Slot("bias", 2)]
    values = [np.arange(5).astype(dtype), np.array([1.5, -2], np.float32)]
    data = pack(Block(s, v) for s, v in zip(slots, values, strict=True))
    assert len(data) % 4 == 0
    reader = BinReader(data, "x")
    for slot, value in zip(slots, values, strict=True):
        got = reader.take(slot, "layer").values
        assert got.dtype == value.dtype and (got == value).all()
    reader.finish()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not an ncnn"),
        ("7767517\n3\n", "line 2"),
        (TINY.replace("3 3", "4 4"), "cut short"),
        (TINY[:-40], "not a layer|announces"),
        (TINY.replace("1 1 x out0", "1 1 y out0"), "reads 'y'"),
        (TINY.replace("0=2", "0"), "not a layer"),
        (TINY.replace("6=6", "6=x"), "no number"),
        (TINY.replace("6=6", "6=-6"), "negative"),
        (TINY.replace("ReLU ", "Wonder "), "layer type 'Wonder' of 'relu'"),
    ],
)
def test_damaged_param(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        read_model(_tiny(tmp_path, text))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "ends inside the weights of Convolution 'conv'"),
        (bytes(20), "ends inside"),
        (bytes(40), "left over"),
        (b"\x01\x02\x03\x04" + bytes(32), "storage type 0x04030201"),
        (bytes(4) + b"\xff" * 32, "not finite"),
    ],
)
def test_damaged_bin(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        read_model(_tiny(tmp_path, bin_=data))


def test_absent_bin(tmp_path: Path) -> None:
    path = _tiny(tmp_path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_model(path)


def test_binary_param(tmp_path: Path) -> None:
    path = _tiny(tmp_path)
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ArtifactError, match="as text"):
        read_model(path)
