from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from edgectl.data.formats import pack as packing
from edgectl.data.formats import read_dataset
from edgectl.data.formats.pack import INDEX, SCHEMA, write_pack
from edgectl.data.formats.writing import write_dataset
from edgectl.data.images.storage import close
from edgectl.data.index import DatasetIndex
from edgectl.data.loading.loader import EvalLoader
from edgectl.errors import DataError, EdgectlError
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec


@pytest.fixture
def index(tmp_path):
    rng = np.random.default_rng(0)
    samples = []
    for i in range(5):
        path = tmp_path / "set" / f"{i % 3}" / f"{i // 3}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
        boxes = np.array([[1.5, 2.25, 30, 20 + i]], np.float32)
        labels = np.array([i % 2], np.int64)
        samples.append(Sample(path, 60, 40, boxes, labels, np.array([i == 4])))
    splits = {"train": tuple(samples[:4]), "valid": tuple(samples[4:])}
    return DatasetIndex("set", tmp_path / "set", "coco-2017", ("a", "b"), splits)


def images(index, split):
    (batch,) = EvalLoader(index.splits[split], PreprocessSpec((32, 32)), 8)
    return batch


def test_a_pack_reads_as_the_set_it_was_made_of(index, tmp_path):
    packed = write_pack(index, tmp_path / "set.lmdb")
    assert packed.images == 5
    again = read_dataset(tmp_path / "set.lmdb")
    assert again.format == "lmdb"
    assert again.classes == index.classes
    for split, samples in index.splits.items():
        for a, b in zip(samples, again.splits[split], strict=True):
            assert np.array_equal(a.boxes_xyxy, b.boxes_xyxy)
            assert np.array_equal(a.labels, b.labels)
            assert np.array_equal(a.crowd, b.crowd)
        theirs, ours = images(index, split), images(again, split)
        assert np.array_equal(theirs.images, ours.images)


def test_images_of_one_name_stay_apart(index, tmp_path):
    write_pack(index, tmp_path / "set.lmdb")
    keys = {s.path.name for s in read_dataset(tmp_path / "set.lmdb").splits["train"]}
    assert keys == {"0.jpg", "0_2.jpg", "0_3.jpg", "1.jpg"}


def test_a_pack_converts_back(index, tmp_path):
    write_pack(index, tmp_path / "set.lmdb")
    write_dataset(read_dataset(tmp_path / "set.lmdb"), tmp_path / "yolo", "yolo")
    again = read_dataset(tmp_path / "yolo")
    assert [len(v) for v in again.splits.values()] == [4, 1]


def test_fingerprint_survives_where_names_do(index, tmp_path):
    one = DatasetIndex("s", index.root, "x", index.classes, {"valid": index.splits["valid"]})
    write_pack(one, tmp_path / "one.lmdb")
    assert read_dataset(tmp_path / "one.lmdb").fingerprint("valid") == one.fingerprint("valid")


def test_an_absent_image_leaves_no_pack(index, tmp_path):
    index.splits["train"][0].path.unlink()
    with pytest.raises((DataError, FileNotFoundError)):
        write_pack(index, tmp_path / "set.lmdb")
    assert not (tmp_path / "set.lmdb").exists()


def test_the_name_must_say_what_it_is(index, tmp_path):
    with pytest.raises(DataError, match=r"ends in \.lmdb"):
        write_pack(index, tmp_path / "set")


def test_a_damaged_pack_is_one_clear_error(index, tmp_path):
    write_pack(index, tmp_path / "set.lmdb")
    close(tmp_path / "set.lmdb")
    (tmp_path / "set.lmdb" / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(DataError, match="pack"):
        read_dataset(tmp_path / "set.lmdb")


DATA = Path(os.environ.get("EDGECTL_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.skipif(not (DATA / "coco128").is_dir(), reason="coco128 is absent")
def test_a_real_set(tmp_path):
    index = read_dataset(DATA / "coco128")
    write_pack(index, tmp_path / "coco128.lmdb", workers=2)
    again = read_dataset(tmp_path / "coco128.lmdb")
    for split in index.splits:
        assert again.fingerprint(split) == index.fingerprint(split)
    assert json.dumps(again.classes) == json.dumps(index.classes)


def test_a_full_disk_is_one_clear_error(index, tmp_path, small_files):
    with small_files(), pytest.raises(EdgectlError, match="cannot be written") as e:
        write_pack(index, tmp_path / "out" / "set.lmdb")
    assert e.value.where == str(tmp_path / "out" / "set.lmdb")
    assert "disk" in str(e.value.fix)
    assert not (tmp_path / "out").exists()


def test_the_map_holds_values_that_waste_most_of_their_pages(index, tmp_path, monkeypatch):
    """A value above half a page takes whole ones: 4 KiB for each of these."""
    monkeypatch.setattr(packing, "_ROOM", 1 << 20)
    path = tmp_path / "small.bin"
    path.write_bytes(bytes(2100))
    one = replace(index.splits["train"][0], path=path)
    many = replace(index, splits={"train": (one,) * 2000})
    assert write_pack(many, tmp_path / "many.lmdb").bytes > 2000 * 4096


def test_images_of_a_pack_lie_in_it(index, tmp_path):
    row = {"width": 60, "height": 40, "boxes": [], "labels": [], "crowd": [], "areas": None}
    document = {"schema": SCHEMA, "classes": ["a"], "made_splits": {}}
    for number, key in enumerate(("/etc/hostname", "../secret.png")):
        document["splits"] = {"train": [{**row, "key": key, "image_label": None}]}
        path = tmp_path / f"{number}.lmdb"
        with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
            transaction.put(INDEX.encode(), json.dumps(document).encode())
        with pytest.raises(DataError, match="leaves the pack"):
            read_dataset(path)
