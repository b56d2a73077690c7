from __future__ import annotations

import os
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgectl.data.formats import read_dataset
from edgectl.data.formats.pack import write_pack
from edgectl.data.images import disk_cache
from edgectl.data.images.cache import ImageCache
from edgectl.data.images.disk_cache import DiskImages, expected_bytes, open_cache
from edgectl.data.images.storage import close
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, EdgectlError
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec

SPEC = PreprocessSpec((32, 32))


@pytest.fixture
def samples(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    made = []
    for i in range(4):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
        boxes = np.array([[3, 4, 50 + i, 60]], np.float32)
        made.append(Sample(path, 120, 90, boxes, np.array([i % 2]), np.zeros(1, bool)))
    return made


@pytest.mark.parametrize("spec", [SPEC, SPEC.to_gray()])
def test_holds_what_memory_holds(samples, spec):
    disk, memory = DiskImages(samples, spec), ImageCache(samples, spec)
    assert len(disk) == len(memory) == 4
    for i in range(4):
        a, b = disk[i], memory[i]
        assert np.array_equal(a.pixels, b.pixels) and a.pixels.shape[2] == spec.channels
        assert np.array_equal(a.boxes_xyxy, b.boxes_xyxy)
        assert np.array_equal(a.labels, b.labels)
        assert a.image_label == b.image_label


def test_is_made_once(samples, monkeypatch):
    DiskImages(samples, SPEC)
    monkeypatch.setattr(disk_cache, "read_image", pytest.fail)
    assert len(DiskImages(samples, SPEC)) == 4


def test_another_size_or_label_is_another_file(samples, tmp_path):
    DiskImages(samples, SPEC)
    DiskImages(samples, PreprocessSpec((48, 48)))
    DiskImages(samples[:3], SPEC)
    assert len(list((tmp_path / "cache" / "images").glob("*.bin"))) == 3


def test_a_image_that_cannot_be_read_leaves_nothing(samples, tmp_path):
    samples[2].path.write_bytes(b"nothing")
    with pytest.raises(DataError):
        DiskImages(samples, SPEC)
    assert not list((tmp_path / "cache" / "images").iterdir())


def test_a_full_disk_is_one_clear_error(samples, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk_cache.json, "dumps", full)
    with pytest.raises(EdgectlError, match="No space"):
        DiskImages(samples, SPEC)
    assert not list((tmp_path / "cache" / "images").iterdir())


def test_auto_goes_by_size(samples, monkeypatch):
    # 90 x 120 is kept at 48 x 64, twice the letterboxed size
    assert expected_bytes(samples, SPEC) == 4 * 48 * 64 * 3
    assert isinstance(open_cache(samples, SPEC, "auto"), ImageCache)
    monkeypatch.setattr(disk_cache, "_RAM_LIMIT", 1000)
    assert isinstance(open_cache(samples, SPEC, "auto"), DiskImages)


def test_an_altered_image_is_read_anew(samples, tmp_path):
    """Of the same name and size: a BMP is as long whatever it shows."""
    path = tmp_path / "a.bmp"
    one = [replace(samples[0], path=path)]
    for value in (10, 200):
        cv2.imwrite(str(path), np.full((90, 120, 3), value, np.uint8))
        os.utime(path, ns=(value, value))
        assert DiskImages(one, SPEC)[0].pixels.max() == value


def test_a_pack_made_again_is_read_anew(samples, tmp_path):
    for value in (10, 200):
        cv2.imwrite(str(tmp_path / "a.bmp"), np.full((90, 120, 3), value, np.uint8))
        one = (replace(samples[0], path=tmp_path / "a.bmp"),)
        write_pack(
            DatasetIndex("s", tmp_path, "x", ("a", "b"), {"train": one}), tmp_path / "s.lmdb"
        )
        packed = read_dataset(tmp_path / "s.lmdb").splits["train"]
        assert DiskImages(packed, SPEC)[0].pixels.max() == value
        close(tmp_path / "s.lmdb")
        shutil.rmtree(tmp_path / "s.lmdb")
