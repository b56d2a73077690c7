from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgectl.data.inspect.similarity import fingerprint
from edgectl.data.inspect.survey import ImageFacts
from edgectl.data.select.stratify import duplicate_groups, stratified
from edgectl.labels import Sample


def sample(number, labels, side=10.0):
    n = len(labels)
    boxes = np.tile(np.array([0, 0, side, side], np.float32), (n, 1))
    return Sample(
        Path(f"{number}.jpg"), 100, 100, boxes, np.array(labels, np.int64), np.zeros(n, bool)
    )


@pytest.fixture
def crowd():
    """90 images of class 0, 9 of class 1, 1 of both; one in ten with large objects."""
    rows = [[0]] * 90 + [[1]] * 9 + [[0, 1]]
    return [sample(i, labels, 50.0 if i % 10 == 0 else 10.0) for i, labels in enumerate(rows)]


SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def test_every_part_has_its_share_of_every_class(crowd):
    parts = stratified(crowd, [[i] for i in range(100)], SHARES, num_classes=2, seed=0)
    assert sorted(i for p in parts.values() for i in p) == list(range(100))
    for name, share in SHARES.items():
        labels = np.concatenate([crowd[i].labels for i in parts[name]])
        assert abs((labels == 1).sum() - 10 * share) <= 1
        assert abs(len(parts[name]) - 100 * share) <= 2


def test_the_same_seed_gives_the_same_parts(crowd):
    groups = [[i] for i in range(100)]
    first, again, other = (
        stratified(crowd, groups, SHARES, num_classes=2, seed=s) for s in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_a_group_stays_together(crowd):
    groups = [list(range(i, i + 5)) for i in range(0, 100, 5)]
    parts = stratified(crowd, groups, SHARES, num_classes=2, seed=0)
    part_of = {i: name for name, chosen in parts.items() for i in chosen}
    assert all(len({part_of[i] for i in g}) == 1 for g in groups)


def test_images_without_objects_are_dealt_out_too():
    empty = [sample(i, []) for i in range(10)]
    shares = {"train": 0.7, "valid": 0.3}
    parts = stratified(empty, [[i] for i in range(10)], shares, num_classes=1, seed=0)
    assert len(parts["valid"]) == 3


def test_duplicates_form_groups():

    def facts(seed):
        noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
        image = cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC)
        return ImageFacts("train", Path(), (1, 1), (1, 1), "", fingerprint=fingerprint(image))

    broken = ImageFacts("train", Path(), None, (1, 1), "truncated")
    found = duplicate_groups([facts(1), facts(2), broken, facts(1), facts(3)])
    assert found == [[0, 3], [1], [2], [4]]
