"""Formats nobody reads, and folders that only look like class folders: one error that leads on."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from edgectl.data.formats import looks_like_dataset, read_dataset
from edgectl.errors import DataError

FOREIGN = {
    "train.tfrecord": (b"\0", "TFRecord"),
    "data/train-0001.parquet": (b"PAR1", "Parquet"),
    "labels.ndjson": (b"{}", "JSON lines"),
    "output.manifest": (b"{}", "Ground Truth"),
    "via_project.json": ({"_via_img_metadata": {}, "_via_settings": {}}, "VGG Image Annotator"),
    "via_region_data.json": (
        {"a.png123": {"filename": "a.png", "size": 123, "regions": []}},
        "VGG Image Annotator",
    ),
    "_annotations.createml.json": ([{"image": "a.png", "annotations": []}], "Create ML"),
    "results.json": ([{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}], "predictions"),
    "ds/ann/a.png.json": ({"tags": [], "objects": [], "size": {}}, "Supervisely"),
}


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((20, 20, 3), np.uint8))


@pytest.mark.parametrize("name", FOREIGN)
def test_the_tool_and_the_way_out_are_named(tmp_path, name):
    content, tool = FOREIGN[name]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    image(tmp_path / "a.png")
    with pytest.raises(DataError, match=tool) as e:
        read_dataset(tmp_path)
    assert "export" in e.value.fix and path.name in e.value.message


@pytest.mark.parametrize(
    "label", ["cat/0.txt", "cat/0.xml", "cat/0.json", "labels_of_mine/0.txt", "a/x/0.json"]
)
def test_images_with_label_files_are_no_classes(tmp_path, label):
    for name in ("cat/0.png", "cat/1.png", "dog/2.png"):
        image(tmp_path / name)
    assert looks_like_dataset(tmp_path)
    file = tmp_path / label
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("not of any format")
    assert not looks_like_dataset(tmp_path) or "json" in label or "xml" in label
    with pytest.raises(DataError):
        read_dataset(tmp_path)


def test_a_set_in_a_folder_is_pointed_at(tmp_path):
    image(tmp_path / "export" / "images" / "0.png")
    image(tmp_path / "export" / "0.png")
    with pytest.raises(DataError, match="there is one in export"):
        read_dataset(tmp_path)


def test_what_systems_leave_behind_is_no_image(tmp_path):
    for name in (
        *("cat/0.png", "cat/1.png", "dog/2.png", "dog/3.png"),
        *("cat/._0.png", ".ipynb_checkpoints/0.png", "__MACOSX/cat/0.png", "dog/@eaDir/3.png"),
        "cat/.ipynb_checkpoints/0-checkpoint.png",
    ):
        image(tmp_path / name)
    index = read_dataset(tmp_path)
    assert index.classes == ("cat", "dog")
    assert sum(len(v) for v in index.splits.values()) == 4


def test_two_names_for_one_image_are_an_error(tmp_path):
    """The longest tail decides; what no tail tells apart would put boxes onto the wrong image."""
    entry = {"width": 20, "height": 20}

    def read(*names):
        document = {
            "images": [{"id": i, "file_name": n, **entry} for i, n in enumerate(names)],
            "annotations": [],
            "categories": [{"id": 1, "name": "a"}],
        }
        (tmp_path / "labels.json").write_text(json.dumps(document))
        index = read_dataset(tmp_path / "labels.json")
        return [s.path.relative_to(tmp_path).as_posix() for s in index.splits["train"]]

    image(tmp_path / "x" / "0.png")
    image(tmp_path / "y" / "0.png")
    image(tmp_path / "y" / "1.png")
    assert read("C:\\data\\x\\0.png", "/mnt/y/0.png") == ["x/0.png", "y/0.png"]
    assert read("/mnt/z/1.png") == ["y/1.png"]
    with pytest.raises(DataError, match=r"fits two images: x/0\.png and y/0\.png"):
        read("/mnt/z/0.png")
    with pytest.raises(DataError, match=r"would both be 1\.png"):
        read("/mnt/z/1.png", "/mnt/w/1.png")
    with pytest.raises(DataError, match=r"would both be 1\.png"):
        read("/mnt/z/1.png", "y/1.png")
