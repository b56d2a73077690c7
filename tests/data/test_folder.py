from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgectl.data.formats import read_dataset
from edgectl.data.formats.folder import split_folders
from edgectl.data.images.cache import ImageCache
from edgectl.data.inspect.stats import describe
from edgectl.data.select.holdout import split_holdout
from edgectl.errors import DataError
from edgectl.spec import PreprocessSpec


def write(root: Path, **classes: int) -> Path:
    """``write(root, cat=3)``: three images in ``root/cat``."""
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(root / name / f"{i}.png"), np.full((8 + i, 12, 3), i, np.uint8))
    return root


def counts(index, split):
    return {
        name: sum(s.image_label == i for s in index.splits[split])
        for i, name in enumerate(index.classes)
    }


def test_split_folders_are_read_as_they_are(tmp_path):
    write(tmp_path / "train", b=3, a=2)
    write(tmp_path / "val", a=1, b=1)
    index = read_dataset(tmp_path)
    assert index.format == "folder"
    assert index.classes == ("a", "b")
    assert counts(index, "train") == {"a": 2, "b": 3}
    assert counts(index, "valid") == {"a": 1, "b": 1}
    assert not index.made_splits


def test_a_missing_valid_is_a_fifth_of_every_class(tmp_path):
    index = read_dataset(write(tmp_path, a=10, b=25))
    assert counts(index, "train") == {"a": 8, "b": 20}
    assert counts(index, "valid") == {"a": 2, "b": 5}
    assert "20%" in index.made_splits["valid"]
    again = read_dataset(tmp_path)
    assert index.files() == again.files()
    assert not set(index.files()["train"]) & set(index.files()["valid"])


def test_a_new_image_moves_hardly_any_other(tmp_path):
    write(tmp_path, a=20, b=20)
    before = set(read_dataset(tmp_path).files()["valid"])
    cv2.imwrite(str(tmp_path / "a" / "new.png"), np.zeros((8, 8, 3), np.uint8))
    after = set(read_dataset(tmp_path).files()["valid"])
    assert len(before ^ after) <= 2


def test_small_and_empty_classes_are_named(tmp_path):
    index = read_dataset(write(tmp_path, a=6, lonely=1, empty=0))
    assert index.classes == ("a", "lonely")
    assert {(r.kind, r.file) for r in index.repairs} == {
        ("empty_class", "empty"),
        ("few_images", "lonely"),
    }
    assert counts(index, "train")["lonely"] == 1
    # nor is it held back
    kept, held = split_holdout(index.splits["train"] * 8, 0.5, seed=0)
    assert any(s.image_label == 1 for s in kept)
    assert held


def test_the_only_image_of_a_class_is_trained_on(tmp_path):
    index = read_dataset(write(tmp_path, a=30, lonely=1))
    for seed in range(20):
        kept, _ = split_holdout(index.splits["train"], 0.4, seed)
        assert sum(s.image_label == 1 for s in kept) == 1


def test_the_held_back_part_has_the_classes_in_proportion(tmp_path):
    index = read_dataset(write(tmp_path, a=100, b=50))
    _, held = split_holdout(index.splits["train"], 0.25, seed=3)
    assert [sum(s.image_label == i for s in held) for i in (0, 1)] == [20, 10]


def test_a_class_may_be_called_train(tmp_path):
    assert read_dataset(write(tmp_path, train=2, car=2)).classes == ("car", "train")


@pytest.mark.parametrize(
    "classes", [{"images": 3, "labels": 0}, {"JPEGImages": 3, "Annotations": 0}, {"train": 3}]
)
def test_layouts_of_other_formats_are_not_taken(tmp_path, classes):
    assert split_folders(write(tmp_path, **classes)) == {}


def test_hidden_and_foreign_files_are_no_images(tmp_path):
    write(tmp_path, a=2, b=2)
    (tmp_path / "a" / ".hidden.png").write_bytes(b"")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"")
    (tmp_path / ".cache" / "x").mkdir(parents=True)
    assert sum(map(len, read_dataset(tmp_path).splits.values())) == 4


def test_one_split_twice(tmp_path):
    for name in ("train", "val", "valid"):
        write(tmp_path / name, a=1, b=1)
    with pytest.raises(DataError, match="two folders"):
        read_dataset(tmp_path)


def test_a_corrupt_image_is_named_when_it_is_used(tmp_path):
    write(tmp_path, a=2, b=2)
    bad = tmp_path / "b" / "0.png"
    bad.write_bytes(bad.read_bytes()[:40])
    index = read_dataset(tmp_path)
    samples = [*index.splits["train"], *index.splits["valid"]]
    with pytest.raises(DataError) as error:
        ImageCache(samples, PreprocessSpec((8, 8)))
    assert error.value.where == str(bad)


def test_grey_images_and_mixed_sizes(tmp_path):
    write(tmp_path, a=3, b=3)
    cv2.imwrite(str(tmp_path / "a" / "grey.png"), np.full((30, 5), 77, np.uint8))
    index = read_dataset(tmp_path)
    cache = ImageCache(index.splits["train"], PreprocessSpec((8, 8)))
    assert {p.pixels.shape[2] for p in (cache[i] for i in range(len(cache)))} == {3}


def test_describe_counts_images_not_boxes(tmp_path):
    split = describe(read_dataset(write(tmp_path, a=5, b=10)))["splits"]["train"]
    assert split["boxes"] == 0
    assert split["empty_images"] == 0
    assert split["classes"] == [{"name": "a", "count": 4}, {"name": "b", "count": 8}]


def test_labels_are_part_of_the_fingerprint(tmp_path):
    one, other = (read_dataset(write(tmp_path / n, a=5, b=5)) for n in ("x", "y"))
    assert one.fingerprint("train") == other.fingerprint("train")
    (tmp_path / "y" / "a" / "9.png").write_bytes((tmp_path / "y" / "a" / "4.png").read_bytes())
    assert read_dataset(tmp_path / "y").fingerprint("train") != one.fingerprint("train")
