"""Boxes around run-length masks, against the library of COCO's makers."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgectl.data.formats import read_dataset
from edgectl.data.formats.coco.masks import around_run_lengths

RNG = np.random.default_rng(0)


def drawn(height: int, width: int) -> np.ndarray:
    """(height, width) uint8: a few blobs, some of them cut by the border."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(RNG.integers(1, 4))):
        center = (int(RNG.integers(width)), int(RNG.integers(height)))
        cv2.circle(mask, center, int(RNG.integers(0, 9)), 1, -1)
    return mask


def plain_counts(mask: np.ndarray) -> list[int]:
    """Lengths of runs, column by column, of zeros first."""
    counts, value = [0], 0
    for pixel in mask.T.reshape(-1).tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def test_boxes_are_those_of_pycocotools():
    reference = pytest.importorskip("pycocotools.mask")
    for _ in range(300):
        height, width = (int(n) for n in RNG.integers(1, 60, 2))
        mask = drawn(height, width)
        packed = reference.encode(np.asfortranarray(mask))
        wanted = reference.toBbox(packed).tolist() if mask.any() else None
        text = {"size": [height, width], "counts": packed["counts"].decode()}
        assert around_run_lengths(text) == wanted
        assert around_run_lengths({**text, "counts": plain_counts(mask)}) == wanted


@pytest.mark.parametrize(
    "mask",
    [
        {},
        {"size": [4, 4], "counts": [3, 2]},
        {"size": [4, 4], "counts": [0, -4, 20]},
        {"size": [4, 4], "counts": [8, float("nan"), 8]},
        {"size": [4, 4], "counts": "o"},
        {"size": [4, 4], "counts": "\x00\u1234"},
        {"size": [4, 4], "counts": "o" * 40},
        {"size": [1e9, 1e9], "counts": [1, 2]},
        {"size": [4], "counts": [16]},
        {"size": [4, 4], "counts": None},
        {"size": [4, 4], "counts": [16]},
    ],
)
def test_what_is_no_mask_gives_no_box(mask):
    assert around_run_lengths(mask) is None


def test_annotations_of_masks_without_boxes_are_read(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    mask = np.zeros((40, 50), np.uint8)
    mask[5:15, 20:44] = 1
    row = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0}
    row["segmentation"] = {"size": [40, 50], "counts": plain_counts(mask)}
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 50, "height": 40}],
        "annotations": [row],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(document))
    (sample,) = read_dataset(tmp_path).splits["train"]
    assert sample.boxes_xyxy.tolist() == [[20, 5, 44, 15]]
