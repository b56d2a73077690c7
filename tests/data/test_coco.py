from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgectl.data.formats import FORMATS, looks_like_dataset, read_dataset
from edgectl.data.formats.tolerance import tolerant
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, UnknownNameError

Write = Callable[..., Path]
Document = Callable[..., dict[str, Any]]


def test_roboflow_layout(tmp_path: Path, write_split: Write, document: Document) -> None:
    write_split(tmp_path / "train", document([[10, 5, 20, 30]]))
    write_split(tmp_path / "val", document([]))
    index = read_dataset(tmp_path)
    assert index.format == "coco-roboflow"
    assert index.classes == ("mask", "no-mask"), "the dummy category is no class"
    assert set(index.splits) == {"train", "valid"}, "val is valid"
    (sample,) = index.splits["train"]
    assert sample.boxes_xyxy.tolist() == [[10, 5, 30, 35]]
    assert sample.labels.tolist() == [0]
    assert (sample.width, sample.height) == (64, 48)
    assert index.splits["valid"][0].boxes_xyxy.shape == (0, 4)
    assert not index.repairs


def test_category_zero_in_use_is_a_class(
    tmp_path: Path, write_split: Write, document: Document
) -> None:
    used = [{"id": 0, "image_id": 7, "category_id": 0, "bbox": [1, 1, 9, 9]}]
    write_split(tmp_path / "train", document([], annotations=used))
    index = read_dataset(tmp_path)
    assert index.classes == ("faces", "mask", "no-mask")
    assert index.splits["train"][0].labels.tolist() == [0]


def test_dummy_may_share_the_name_of_a_class(
    tmp_path: Path, write_split: Write, document: Document
) -> None:
    categories = [
        {"id": 0, "name": "mask", "supercategory": "none"},
        {"id": 1, "name": "mask", "supercategory": "mask"},
    ]
    write_split(tmp_path / "train", document([[1, 1, 5, 5]], categories=categories))
    index = read_dataset(tmp_path)
    assert index.classes == ("mask",)
    assert index.splits["train"][0].labels.tolist() == [0]


def test_coco_2017_layout_maps_sparse_ids(
    tmp_path: Path, write_split: Write, document: Document
) -> None:
    categories = [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}]
    rows = [
        {"id": 1, "image_id": 7, "category_id": 90, "bbox": [0, 0, 8, 8], "iscrowd": 1},
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [4, 4, 8, 8]},
    ]
    for split in ("train", "val"):
        path = write_split(
            tmp_path / f"{split}2017", document([], annotations=rows, categories=categories)
        )
        (tmp_path / "annotations").mkdir(exist_ok=True)
        path.rename(tmp_path / "annotations" / f"instances_{split}2017.json")
    index = read_dataset(tmp_path)
    assert index.format == "coco-2017"
    assert index.classes == ("person", "toothbrush"), "in the order of the ids"
    (sample,) = index.splits["valid"]
    assert sample.labels.tolist() == [1, 0]
    assert sample.crowd.tolist() == [True, False]

    alone = read_dataset(tmp_path / "annotations" / "instances_val2017.json")
    assert alone.format == "coco-file"
    assert [s.path for s in alone.splits["valid"]] == [sample.path]


def test_bare_annotation_file(tmp_path: Path, write_split: Write, document: Document) -> None:
    path = write_split(tmp_path, document([[0, 0, 5, 5]])).rename(tmp_path / "labels.json")
    index = read_dataset(path)
    assert index.format == "coco-file"
    assert len(index.splits["train"][0].boxes_xyxy) == 1


def test_boxes_are_clipped_or_left_out_and_reported(
    tmp_path: Path, write_split: Write, document: Document
) -> None:
    boxes = [[50, 40, 30, 30], [5, 5, 0, 9], [5, 5, 9, -1], [70, 5, 9, 9], [2, 2, 4, 4]]
    boxes.append([8, 8, 1e-9, 5])  # nothing is left of it in float32
    write_split(tmp_path / "train", document(boxes))
    with tolerant():
        index = read_dataset(tmp_path)
    assert index.splits["train"][0].boxes_xyxy.tolist() == [[50, 40, 64, 48], [2, 2, 6, 6]]
    *made, last = index.repairs
    assert [(r.kind, r.count, r.lost) for r in made] == [
        ("box_clipped", 1, 0),
        ("zero_size_box", 3, 3),
        ("box_outside", 1, 1),
    ]
    assert {(r.file, r.split) for r in made} == {("a.png", "train")}
    assert last.kind == "labels_lost"
    with pytest.raises(DataError, match="4 of 6 labels would be left out, most for zero size box"):
        read_dataset(tmp_path)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "absent image": ({"image": False}, "1 images .* absent, the first: a.png"),
    "unknown category": ({"category_id": 9}, "a.png: unknown category 9"),
    "category of a wrong type": ({"category_id": [1]}, "unknown category"),
    "annotation of no image": ({"image_id": 8}, "image that is not listed: image_id 8"),
    "image_id of a wrong type": ({"image_id": {}}, "image that is not listed"),
    "NaN": ({"bbox": [0, 0, float("nan"), 5]}, "not a box"),
    "infinity": ({"bbox": [0, 0, float("inf"), 5]}, "not a box"),
    "three numbers": ({"bbox": [0, 0, 5]}, "not a box"),
    "words": ({"bbox": ["a", 0, 5, 5]}, "not a box"),
    "no box": ({"bbox": None}, "not a box"),
    "beyond a float": ({"bbox": [0, 0, 10**400, 5]}, "not a box"),
    "no images": ({"images": []}, "has no images|not listed"),
    "no categories": ({"categories": []}, "no categories"),
    "a category twice": (
        {"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]},
        "category is there twice",
    ),
    "category without name": ({"categories": [{"id": 1}]}, "lacks id or name"),
    "image with half a size": (
        {"images": [{"id": 7, "file_name": "a.png", "width": 64}]},
        "image without",
    ),
    "image of no size": (
        {"images": [{"id": 7, "file_name": "a.png", "width": 0, "height": 9}]},
        "a.png is 0x9",
    ),
    "image of infinite size": (
        {"images": [{"id": 7, "file_name": "a.png", "width": float("inf"), "height": 9}]},
        "image without",
    ),
    "image of a size no file has": (
        {"images": [{"id": 7, "file_name": "a.png", "width": 10**400, "height": 48}]},
        r"a.png is \(too large\)x48",
    ),
    "image twice": (
        {"images": [{"id": 7, "file_name": "a.png", "width": 64, "height": 48}] * 2},
        "image id 7 twice",
    ),
    "a list": ({"images": {}}, "no list 'images'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_annotations_name_file_and_remedy(
    name: str, tmp_path: Path, write_split: Write, document: Document
) -> None:
    changes, message = BAD[name]
    changes = dict(changes)
    image = changes.pop("image", True)
    row = {"id": 0, "image_id": 7, "category_id": 1, "bbox": [1, 1, 5, 5]}
    row |= {k: changes.pop(k) for k in list(changes) if k in row}
    path = write_split(tmp_path / "train", document([], annotations=[row], **changes), image=image)
    with pytest.raises(DataError, match=message) as e:
        read_dataset(tmp_path)
    assert e.value.where == str(path)
    assert e.value.fix


def test_not_json_names_the_line(tmp_path: Path, write_split: Write) -> None:
    path = write_split(tmp_path / "train", '{"images": [],\n "annotations": oops}')
    with pytest.raises(DataError, match="not JSON") as e:
        read_dataset(tmp_path)
    assert e.value.where == f"{path}:2"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"3"])
def test_other_rubbish_is_refused(content: bytes, tmp_path: Path, write_split: Write) -> None:
    write_split(tmp_path / "train", "").write_bytes(content)
    with pytest.raises(DataError):
        read_dataset(tmp_path)


def test_splits_with_other_classes_are_refused(
    tmp_path: Path, write_split: Write, document: Document
) -> None:
    write_split(tmp_path / "train", document([]))
    write_split(tmp_path / "valid", document([], categories=[{"id": 1, "name": "cat"}]))
    with pytest.raises(DataError, match=r"cat.*mask"):
        read_dataset(tmp_path)


def test_paths_and_formats(tmp_path: Path, write_split: Write, document: Document) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_dataset(tmp_path / "absent")
    with pytest.raises(DataError, match="no labels found") as e:
        read_dataset(tmp_path)
    assert all(f.name in str(e.value.fix) for f in FORMATS)
    assert not looks_like_dataset(tmp_path)
    write_split(tmp_path / "train", document([]))
    assert looks_like_dataset(tmp_path)
    with pytest.raises(DataError, match="not coco-2017"):
        read_dataset(tmp_path, "coco-2017")
    with pytest.raises(UnknownNameError, match="yolo13"):
        read_dataset(tmp_path, "yolo13")


def test_fingerprint_follows_labels_and_classes(
    tmp_path: Path, write_split: Write, document: Document
) -> None:
    prints = set()
    for i, box in enumerate(([1, 1, 5, 5], [1, 1, 5, 6])):
        write_split(tmp_path / f"{i}" / "train", document([box]))
        prints.add(read_dataset(tmp_path / f"{i}").fingerprint("train"))
    assert len(prints) == 2
    assert read_dataset(tmp_path / "0").fingerprint("train") in prints
    row = {"id": 0, "image_id": 7, "category_id": 1, "bbox": [1, 1, 5, 5], "iscrowd": 1}
    write_split(
        tmp_path / "crowd" / "train", document([], annotations=[row, {**row, "iscrowd": 0}])
    )
    assert read_dataset(tmp_path / "crowd").fingerprint("train") not in prints


def test_coco_mask(real_data: Path) -> None:
    index = read_dataset(real_data / "coco_mask")
    assert index.classes == ("mask", "no-mask")
    # the counts its own description states
    assert {k: len(v) for k, v in index.splits.items()} == {"train": 105, "valid": 29, "test": 15}
    assert sum(len(s.labels) for split in index.splits.values() for s in split) == 953


def test_coco128(real_data: Path) -> None:
    index = read_dataset(real_data / "coco128")
    assert len(index.classes) == 80
    assert index.classes[0] == "person" and index.classes[-1] == "toothbrush"
    document = json.loads((real_data / "coco128/annotations/instances_val2017.json").read_text())
    name = {c["id"]: c["name"] for c in document["categories"]}
    rows = [a for a in document["annotations"] if a["image_id"] == document["images"][0]["id"]]
    sample = index.splits["valid"][0]
    assert [index.classes[i] for i in sample.labels] == [name[a["category_id"]] for a in rows]
    corners = np.array([a["bbox"] for a in rows])
    corners[:, 2:] += corners[:, :2]
    limits = [sample.width, sample.height] * 2
    np.testing.assert_allclose(sample.boxes_xyxy, np.clip(corners, 0, limits), atol=1e-3)


def test_a_byte_order_mark_is_no_error(
    tmp_path: Path, write_split: Write, document: Document
) -> None:
    path = write_split(tmp_path / "train", document([[1, 1, 5, 5]]))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_dataset(tmp_path).splits["train"][0].labels) == 1


def test_numbers_that_python_refuses_to_read(tmp_path: Path, write_split: Write) -> None:
    text = '{"images": [{"id": 7, "file_name": "a.png", "height": 48, "width": %s}]}'
    path = write_split(tmp_path / "train", text % ("9" * 5000))
    with pytest.raises(DataError, match="cannot be read") as e:
        read_dataset(tmp_path)
    assert e.value.where == str(path) and e.value.fix


def test_names_stay_in_the_set(tmp_path: Path, write_split: Write, document: Document) -> None:
    """What a label file names is copied and packed: it must not reach beyond the set."""
    root, other = tmp_path / "set", tmp_path / "other"
    file = write_split(root / "train", document([]))
    write_split(other, document([])).unlink()
    (root / "linked").symlink_to(other)

    def read(name: str) -> DatasetIndex:
        images = [
            {"id": i, "file_name": n, "width": 64, "height": 48}
            for i, n in enumerate(("a.png", name))
        ]
        write_split(root / "train", document([], images=images))
        return read_dataset(root)

    for name in ("a.png", "../train/a.png", "../linked/a.png", str(root / "train" / "a.png")):
        assert read(name).splits["train"][1].path.is_file()
    for name in (str(other / "a.png"), "../../other/a.png", "../linked/../../other/a.png"):
        with pytest.raises(DataError, match="leaves the data set") as e:
            read(name)
        assert e.value.where == str(file)
        assert str(file.parent) in str(e.value.fix)
        with tolerant():
            index = read(name)
        assert [r.kind for r in index.repairs] == ["broken_annotation"]
    with pytest.raises(DataError, match="too long") as e:
        read("a" * 300 + ".png")
    assert len(e.value.message) < 200
