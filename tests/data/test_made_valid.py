"""A set without a validation split gets one, the same everywhere and without leaks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgectl.data.formats import read_dataset
from edgectl.data.select import made_valid
from edgectl.data.select.made_valid import lacks_valid, make_valid


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))


def write_yolo(root, count=40, copies=()):
    """Labels of two classes in turn; ``copies`` are images that show what the first shows."""
    for part in ("images/train", "labels/train"):
        (root / part).mkdir(parents=True)
    for i in range(count):
        seed = 0 if i in copies else i
        cells = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
        image = Image.fromarray(cells).resize((96, 72), Image.Resampling.BICUBIC)
        image.save(root / "images/train" / f"{i:03}.png")
        (root / "labels/train" / f"{i:03}.txt").write_text(f"{i % 2} 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text("train: images/train\nnames: [cup, jug]\n")
    return root


def test_a_fifth_of_train_is_valid_with_both_classes(tmp_path):
    index = read_dataset(write_yolo(tmp_path / "set"))
    assert lacks_valid(index)
    made = make_valid(index)
    train, valid = made.splits["train"], made.splits["valid"]
    assert len(valid) == 8
    assert {s.path for s in train} | {s.path for s in valid} == {
        s.path for s in index.splits["train"]
    }
    assert sum(int(s.labels[0]) for s in valid) == 4  # half of one class, half of the other
    assert "train" in made.made_splits["valid"]
    assert made.files()["valid"]
    assert not lacks_valid(made)


def test_copies_stay_on_one_side(tmp_path):
    copies = {0, 3, 8, 13, 21, 34}
    made = make_valid(read_dataset(write_yolo(tmp_path / "set", copies=copies)))
    sides = [copies & {int(s.path.stem) for s in v} for v in made.splits.values()]
    assert set() in sides


def test_a_set_that_moved_has_the_same_split(tmp_path, monkeypatch):
    root = write_yolo(tmp_path / "set")
    first = make_valid(read_dataset(root))
    shutil.copytree(root, tmp_path / "elsewhere" / "set")
    moved = read_dataset(tmp_path / "elsewhere" / "set")
    assert make_valid(moved).files() == first.files()
    monkeypatch.setattr(made_valid, "survey", no_look)  # from the cache
    assert make_valid(moved).files() == first.files()
    file = next((tmp_path / "cache" / "splits").iterdir())
    file.write_text("damaged")
    monkeypatch.undo()
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    assert make_valid(moved).files() == first.files()


def no_look(*_):
    raise AssertionError("images are looked at again")


def test_where_all_show_the_same_nothing_is_made(tmp_path):
    index = read_dataset(write_yolo(tmp_path / "set", 8, copies=range(8)))
    assert make_valid(index) is index


def test_few_images_are_left_alone(tmp_path):
    assert not lacks_valid(read_dataset(write_yolo(Path(tmp_path / "set"), 4)))
