from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgectl.data.index import DatasetIndex
from edgectl.errors import UnknownNameError
from edgectl.labels import Sample


def index():
    sample = Sample(
        Path("a.jpg"),
        100,
        100,
        np.array([[0, 0, 1, 1], [2, 2, 4, 4], [5, 5, 9, 9]], np.float32),
        np.array([0, 2, 1], np.int64),
        np.array([False, True, False]),
        np.array([1, 4, 16], np.float32),
    )
    return DatasetIndex("set", Path(), "coco-2017", ("cat", "dog", "cow"), {"train": (sample,)})


def test_other_objects_go_and_labels_follow_the_order_asked_for():
    found = index().restricted(["cow", "cat"])
    (sample,) = found.splits["train"]
    assert found.classes == ("cow", "cat")
    assert sample.labels.tolist() == [1, 0]
    assert sample.boxes_xyxy[:, 0].tolist() == [0, 2]
    assert sample.crowd.tolist() == [False, True]
    assert sample.areas.tolist() == [1, 4]


def test_images_left_without_objects_stay():
    (sample,) = index().restricted(["dog"]).splits["train"]
    assert len(sample.labels) == 1


def test_an_unknown_class_is_named():
    with pytest.raises(UnknownNameError, match="dgo"):
        index().restricted(["dgo"])
