"""Every object has one fate, counted by its size for the network."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from edgectl.metrics.coco_library import ImageBoxes
from edgectl.metrics.error_types import error_types

CLASSES = ("cat", "dog")
EIGHT, TWENTY, HUNDRED = [0, 0, 8, 6], [50, 50, 70, 60], [100, 100, 200, 180]


def image(truth, labels, found=(), found_labels=(), scores=(), crowd=None):
    boxes = np.array(truth, np.float32).reshape(-1, 4)
    crowd = np.zeros(len(boxes), bool) if crowd is None else np.array(crowd)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return ImageBoxes(
        boxes,
        np.array(labels, np.int64),
        crowd,
        areas,
        np.array(found, np.float32).reshape(-1, 4),
        np.array(found_labels, np.int64),
        np.array(scores, np.float32),
    )


def errors(*images):
    result = error_types(images, CLASSES)
    json.dumps(result)  # plain values
    return result


def fates(result):
    return {
        k: sum(r[k] for r in result["by_size"]) for k in ("found", "confused", "loose", "missed")
    }


def test_all_found_by_size():
    truth, labels = [EIGHT, TWENTY, HUNDRED], [0, 1, 0]
    result = errors(image(truth, labels, truth, labels, [0.9, 0.8, 0.7]))
    assert [r["found"] for r in result["by_size"]] == [0, 1, 1, 1]
    assert [r["objects"] for r in result["by_size"]] == [0, 1, 1, 1]
    assert [r["below"] for r in result["by_size"]] == [8.0, 16.0, 32.0, None]
    assert result["threshold"] == pytest.approx(0.7)
    assert not result["confusions"] and not result["false_alarms"] and not result["duplicates"]


def test_sizes_are_those_the_network_sees():
    small = replace(image([HUNDRED], [0]), truth_sides=np.array([7.0]))
    assert [r["missed"] for r in errors(small)["by_size"]] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("box", "label", "fate"),
    [
        (HUNDRED, 1, "confused"),
        ([100, 100, 150, 140], 0, "loose"),
        ([100, 100, 150, 140], 1, "missed"),
        ([300, 300, 400, 380], 0, "missed"),
    ],
)
def test_fates(box, label, fate):
    """The one found keeps the threshold low enough for what is asked about."""
    result = errors(image([TWENTY, HUNDRED], [0, 0], [TWENTY, box], [0, label], [0.5, 0.9]))
    assert fates(result) == {**dict.fromkeys(fates(result), 0), "found": 1, fate: 1}
    named = [{"object": "cat", "as": "dog", "count": 1}] if fate == "confused" else []
    assert result["confusions"] == named
    assert result["false_alarms"] == (box[0] == 300)


def test_one_object_is_found_once():
    shifted = [104, 100, 204, 180]
    result = errors(
        image([HUNDRED, TWENTY], [0, 0], [HUNDRED, shifted, TWENTY], [0] * 3, [3, 2, 1])
    )
    assert fates(result)["found"] == 2
    assert result["duplicates"] == 1 and result["false_alarms"] == 0


def test_the_threshold_is_where_f1_is_best():
    ghosts = [[300 + 9 * i, 300, 308 + 9 * i, 308] for i in range(20)]
    found = [HUNDRED, *ghosts, TWENTY]
    scores = [0.9, *[0.5] * 20, 0.1]
    result = errors(image([HUNDRED, TWENTY], [0, 0], found, [0] * 22, scores))
    assert result["threshold"] == pytest.approx(0.9)
    assert fates(result) == {"found": 1, "confused": 0, "loose": 0, "missed": 1}
    assert result["false_alarms"] == 0


def test_crowd_is_neither_missed_nor_a_false_alarm():
    inside = [110, 110, 150, 150]
    result = errors(
        image([HUNDRED, TWENTY], [0, 0], [inside, TWENTY], [0, 0], [0.9, 0.8], [True, False])
    )
    assert sum(r["objects"] for r in result["by_size"]) == 1
    assert fates(result)["found"] == 1 and result["false_alarms"] == 0


@pytest.mark.parametrize("images", [[], [image([], [])], [image([HUNDRED], [0])]])
def test_nothing_found_or_nothing_to_find(images):
    result = errors(*images)
    assert result["threshold"] == 0.0
    assert fates(result)["missed"] == sum(len(p.truth_labels) for p in images)


def test_every_object_has_one_fate_and_it_is_quick(drawn):
    images = drawn.random_images(0, 128, 2)
    start = time.process_time()
    result = errors(*images)
    assert time.process_time() - start < 5.0
    objects = sum(int((~p.truth_crowd).sum()) for p in images)
    assert sum(fates(result).values()) == objects
    assert fates(result)["found"] > objects / 3
