from __future__ import annotations

import numpy as np
import pytest

from edgectl.data.formats import read_dataset
from edgectl.data.select.calibration import calibration_list, write_calibration
from edgectl.errors import EdgectlError
from edgectl.spec import PreprocessSpec

SPEC = PreprocessSpec((64, 96))


def test_an_array_holds_what_is_fed(demo_root, tmp_path, monkeypatch):
    monkeypatch.setattr("edgectl.data.select.calibration._WRITE_BATCH", 4)
    chosen = calibration_list(read_dataset(demo_root).splits["train"], 10, 0)
    write_calibration(chosen, tmp_path / "out", "npy", SPEC)
    array = np.load(tmp_path / "out" / "calibration.npy")
    assert array.dtype == np.uint8
    assert np.array_equal(array, np.concatenate(list(chosen.images(SPEC, 3))))


def test_an_array_in_gray_has_one_channel(demo_root, tmp_path):
    chosen = calibration_list(read_dataset(demo_root).splits["train"], 3, 0)
    write_calibration(chosen, tmp_path / "out", "npy", PreprocessSpec((24, 32)).to_gray())
    array = np.load(tmp_path / "out" / "calibration.npy")
    assert array.shape == (3, 24, 32, 1) and array.std() > 10


@pytest.mark.parametrize("form", ["npy", "bin", "zip"])
def test_a_full_disk_is_one_clear_error(demo_root, tmp_path, form, small_files):
    chosen = calibration_list(read_dataset(demo_root).splits["train"], 10, 0)
    with small_files(), pytest.raises(EdgectlError, match="File too large") as e:
        write_calibration(chosen, tmp_path / "out" / "new", form, SPEC)
    assert e.value.where == str(tmp_path / "out" / "new")
    assert "disk" in str(e.value.fix)
    assert not list((tmp_path / "out").glob("*"))
