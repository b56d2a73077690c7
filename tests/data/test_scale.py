"""Sets that are large in one way: labels on an image, class names."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from edgectl.data.index import DatasetIndex, Repair
from edgectl.data.inspect.checks import Evidence, run_checks
from edgectl.data.inspect.class_names import find_similar_names
from edgectl.data.inspect.same_boxes import find_same_boxes
from edgectl.labels import Sample


def every_pair(boxes, labels):
    """The definition, N squared."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    same = inter / (area[:, None] + area[None] - inter) > 0.95
    same &= labels[:, None] == labels[None]
    return np.tril(same, -1).any(axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_boxes_drawn_twice_are_those_every_pair_gives(seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 400, (300, 2))
    boxes = np.hstack([corners, corners + rng.uniform(8, 90, (300, 2))])
    moved = boxes[:120] + rng.uniform(-1.5, 1.5, (120, 4))
    boxes = np.concatenate([boxes, moved, boxes[:20]])
    labels = rng.integers(0, 3, len(boxes))
    labels[300:420], labels[420:] = labels[:120], labels[:20]
    found, wanted = find_same_boxes(boxes, labels), every_pair(boxes, labels)
    assert wanted.sum() > 20
    assert found.sum() == pytest.approx(wanted.sum(), abs=3)  # which of a chain counts may differ


def traced(function):
    tracemalloc.start()
    result = function()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return result, peak


def test_many_boxes_on_one_image_take_little_memory():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 4000, (30_000, 2))
    boxes = np.hstack([corners, corners + 12]).astype(np.float32)
    boxes[15_000:] = boxes[:15_000]
    found, peak = traced(lambda: find_same_boxes(boxes, np.zeros(30_000, np.int64)))
    assert 15_000 <= found.sum() < 16_000
    assert peak < 128 << 20  # one number a pair would be 7 GB


def test_names_that_look_alike():
    names = ["dog", "Dog ", "elephant", "elefant", "person", "persons", "class_1", "class_2"]
    names += ["bicycle", "motorcycle", "screwdriver", "screwdrivre"]
    assert set(find_similar_names(names)) == {
        ("dog", "Dog "), ("elephant", "elefant"), ("person", "persons"),
        ("screwdriver", "screwdrivre"),
    }  # fmt: skip


def test_many_classes_and_repairs_are_counted_not_listed():
    labels = np.zeros(50, np.int64)
    boxes = np.tile(np.array([0, 0, 90, 90], np.float32), (50, 1))
    sample = Sample(Path("a.jpg"), 100, 100, boxes, labels, np.zeros(50, bool))
    names = tuple(f"{'xyz'[i % 3]}{i}q" for i in range(5_000))
    repairs = [Repair("zero_size_box", "a.jpg", f"box {i}") for i in range(3_000)]
    index = DatasetIndex("s", Path(), "yolo", names, {"train": (sample,)}, repairs)
    found = run_checks(Evidence(index, [], (64, 64), 8.0))
    assert len(found) < 500
    text = " ".join(f.detail for f in found)
    assert "4,899 more of these" in text  # of 4,999 without an object
    assert "2,900 more of these" in text
