from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edgectl.data.formats import read_dataset
from edgectl.data.formats.tolerance import tolerant
from edgectl.data.inspect.checks import Evidence, run_checks
from edgectl.data.inspect.repair import write_repaired
from edgectl.data.inspect.survey import survey
from edgectl.errors import DataError

DATA = Path(os.environ.get("EDGECTL_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not (DATA / "coco_mask").is_dir(), reason="coco_mask is absent")


def scene(seed, size=(160, 120)):
    """An image of its own: some random ellipses on a random ground."""
    rng = np.random.default_rng(seed)
    width, height = size
    image = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(12):
        center = tuple(int(v) for v in rng.integers(0, (width, height)))
        axes = tuple(int(v) for v in rng.integers(6, 40, 2))
        color = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.ellipse(image, center, axes, int(rng.integers(180)), 0, 360, color, -1)
    return image


def write_split(root, split, images, annotations, categories=("cat", "dog")):
    folder = root / split
    folder.mkdir(parents=True)
    entries = []
    for number, (name, image) in enumerate(images.items(), start=1):
        if image is not None:
            cv2.imwrite(str(folder / name), image)
        entries.append({"id": number, "file_name": name, "width": 160, "height": 120})
    numbers = {entry["file_name"]: entry["id"] for entry in entries}
    document = {
        "images": entries,
        "categories": [{"id": i, "name": n} for i, n in enumerate(categories, start=1)],
        "annotations": [
            {"id": i, "image_id": numbers.get(name, 999), "category_id": c, "bbox": bbox}
            for i, (name, c, bbox) in enumerate(annotations)
        ],
    }
    (folder / "_annotations.coco.json").write_text(json.dumps(document))
    return folder


def findings(root, size=(192, 192)):
    with tolerant():
        index = read_dataset(root)
    facts = survey(index)
    return index, facts, run_checks(Evidence(index, facts, size, 8.0))


def kinds(found, severity=None):
    return {f.kind for f in found if severity in (None, f.severity)}


@pytest.fixture
def broken(tmp_path):
    """One of every fault."""
    names = [f"{i:02}.jpg" for i in range(24)]
    images = {n: scene(i) for i, n in enumerate(names)}
    images["absent.jpg"] = None
    images["small.jpg"] = scene(100, (80, 60))
    images["blank.jpg"] = np.full((120, 160, 3), 90, np.uint8)
    images["again.jpg"] = cv2.resize(scene(0), None, fx=1.0, fy=1.0)
    whole = [0, 0, 100, 100]
    annotations = [(n, 1, whole) for n in names]
    annotations += [
        ("01.jpg", 2, [10, 10, 0, 5]),
        ("02.jpg", 2, [500, 10, 20, 20]),
        ("03.jpg", 2, [150, 10, 40, 20]),
        ("04.jpg", 1, [0, 0, 100, 99]),
        ("05.jpg", 77, whole),
        ("06.jpg", 1, [1, 2, 3]),
        ("nobody.jpg", 1, whole),
    ]
    annotations += [("07.jpg", 3, [i, i, 4, 4]) for i in range(6)]
    categories = ("elephant", "dog", "elefant", "unused")
    train = write_split(tmp_path, "train", images, annotations, categories)
    cut = (train / "08.jpg").read_bytes()
    (train / "08.jpg").write_bytes(cut[: len(cut) // 2])
    (train / "09.jpg").write_bytes(b"not an image")
    bright = {f"v{i}.jpg": 255 - (255 - scene(200 + i)) // 4 for i in range(6)}
    bright["copy.jpg"] = scene(10)
    boxes = [(n, 2, [5 * i, 5, 8, 8]) for n in bright for i in range(6)]
    write_split(tmp_path, "valid", bright, boxes, categories)
    return tmp_path


def test_every_fault_is_found(broken):
    _, _, found = findings(broken)
    assert kinds(found, "error") == {
        "missing_image", "orphan_annotation", "unknown_class", "not_a_box", "unreadable_image",
        "wrong_size", "leakage", "labels_lost",
    }  # fmt: skip
    assert kinds(found, "warning") >= {
        "zero_size_box", "box_outside", "duplicate_box", "unused_class", "similar_classes",
        "blank_image", "near_duplicate", "shift", "tiny_objects",
    }  # fmt: skip
    assert kinds(found, "note") >= {"box_clipped", "few_examples"}
    unreadable = {Path(f.file).name for f in found if f.kind == "unreadable_image"}
    assert unreadable == {"08.jpg", "09.jpg"}
    shifts = " ".join(f.detail for f in found if f.kind == "shift")
    assert "brighter" in shifts
    assert "classes" in shifts
    assert [f.severity for f in found] == sorted(
        (f.severity for f in found), key=["error", "warning", "note"].index
    )


def test_without_tolerance_the_first_fault_is_an_error(broken):
    with pytest.raises(DataError):
        read_dataset(broken)


def test_a_repaired_copy_has_no_errors_and_the_original_stays(broken, tmp_path):
    before = {p: p.read_bytes() for p in sorted(broken.rglob("*")) if p.is_file()}
    index, facts, found = findings(broken)
    done = write_repaired(index, facts, found, tmp_path / "fixed")
    _, _, again = findings(tmp_path / "fixed")
    assert not kinds(again, "error")
    assert "duplicate_box" not in kinds(again)
    # kept: one of another size but the same shape, a copy beside its original, one in two splits
    assert done["left_out"] == 2  # cannot be decoded
    assert any("moved" in line for line in done["announced"])
    assert all(p.read_bytes() == data for p, data in before.items())


def test_a_clean_set_has_no_faults(tmp_path):
    for split, first in (("train", 0), ("valid", 50)):
        images = {f"{split}{i}.jpg": scene(first + i) for i in range(20)}
        boxes = [(n, 1 + k % 2, [5, 5, 60 + k, 50]) for k, n in enumerate(list(images) * 2)]
        write_split(tmp_path, split, images, boxes)
    _, _, found = findings(tmp_path)
    assert not kinds(found, "error")
    assert not kinds(found, "warning")


def test_a_turned_image_is_told_from_a_wrong_one(tmp_path):
    write_split(tmp_path, "train", {"a.jpg": scene(1, (120, 160))}, [("a.jpg", 1, [0, 0, 90, 90])])
    asked = ("exif_rotation", "wrong_size")
    _, _, found = findings(tmp_path)
    assert {f.kind for f in found if f.kind in asked} == {"wrong_size"}
    path = tmp_path / "train" / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as image:
        image.rotate(90, expand=True).save(path, exif=exif)
    _, _, found = findings(tmp_path)
    assert {f.kind for f in found if f.kind in asked} == {"exif_rotation"}


@needs_data
@pytest.mark.parametrize("name", ["coco_mask", "coco128", "digits01"])
def test_nothing_is_invented_on_real_sets(name):
    _, _, found = findings(DATA / name)
    assert not kinds(found, "error")
    assert not kinds(found) & {"near_duplicate", "similar_classes", "duplicate_box"}


@needs_data
def test_bccd_has_two_empty_boxes_and_two_fields_in_two_splits():
    _, _, found = findings(DATA / "bccd")
    assert sum(f.kind == "zero_size_box" for f in found) == 2
    # the same fields of cells: one refocused, one with the stage moved by a few cells' width
    leaks = [{Path(name).stem[-3:] for name in f.files} for f in found if f.kind == "leakage"]
    assert sorted(leaks, key=min) == [{"037", "038"}, {"386", "391"}]


@needs_data
def test_ten_leaked_images_are_named_all_ten(tmp_path):
    shutil.copytree(DATA / "coco_mask", tmp_path / "set")
    train, valid = (tmp_path / "set" / s for s in ("train", "valid"))
    file = train / "_annotations.coco.json"
    document = json.loads(file.read_text())
    leaked = sorted(valid.glob("*.jpg"))[:10]
    for number, path in enumerate(leaked, start=10_000):
        image = cv2.resize(cv2.imread(str(path)), None, fx=0.9, fy=0.9)
        cv2.imwrite(str(train / f"leak{number}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 70])
        height, width = image.shape[:2]
        entry = {"id": number, "file_name": f"leak{number}.jpg", "width": width, "height": height}
        document["images"].append(entry)
    file.write_text(json.dumps(document))
    _, _, found = findings(tmp_path / "set")
    assert {Path(f.file).name for f in found if f.kind == "leakage"} == {p.name for p in leaked}
