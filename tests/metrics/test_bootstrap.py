"""Resampling agrees with scoring the resampled set, and intervals behave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgectl.errors import UsageError
from edgectl.labels import Targets
from edgectl.metrics.bootstrap import RatioScores, Resampled, compare
from edgectl.metrics.centroid import CentroidMetric
from edgectl.metrics.detection import DetectionMetric, PrecisionMetric
from edgectl.metrics.precision_scores import match, precision_scores


def average_precision(images, classes=3):
    metric = PrecisionMetric([f"class{i}" for i in range(classes)])
    metric.images = images
    return metric.compute()["AP"]


def without_ties(drawn, seed, count=12, crowd=0.3):
    """With equal scores the order of the images would matter, which resampling forgets."""
    rng = np.random.default_rng(seed)
    images = drawn.random_images(seed, count, 3, crowd=crowd)
    total = sum(len(p.scores) for p in images)
    scores = rng.permutation(np.linspace(0.01, 0.99, total)).astype(np.float32)
    ends = np.cumsum([len(p.scores) for p in images])[:-1]
    return [replace(p, scores=s) for p, s in zip(images, np.split(scores, ends), strict=True)]


@pytest.mark.parametrize("seed", range(4))
def test_every_image_once_is_the_figure_itself(drawn, seed):
    images = drawn.random_images(seed, 20, 3)
    (value,) = precision_scores(images).values(np.ones((1, 20), np.int64))
    assert value == pytest.approx(average_precision(images), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_selection_is_the_figure_of_the_selected_set(drawn, seed):
    images = without_ties(drawn, seed)
    weights = np.random.default_rng(seed).multinomial(12, np.full(12, 1 / 12), size=5)
    values = precision_scores(images).values(weights)
    for row, value in zip(weights, values, strict=True):
        chosen = [p for p, times in zip(images, row, strict=True) for _ in range(times)]
        assert value == pytest.approx(average_precision(chosen), abs=1e-12)


def test_a_crowd_is_found_any_number_of_times():
    boxes = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [55, 55, 65, 65]], np.float32)
    truth = np.array([[0, 0, 10, 10], [40, 40, 90, 90]], np.float32)
    hit, ignored = match(boxes, truth, np.array([False, True]))
    assert hit.tolist() == [[True, False, False]] * 10
    assert ignored.tolist() == [[False, True, True]] * 10


def test_an_object_is_found_once():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    hit, ignored = match(boxes, boxes[:1], np.array([False]))
    assert hit.tolist() == [[True, False]] * 10 and not ignored.any()


def test_ratios():
    scores = RatioScores(np.array([2, 0, 4]), np.array([4, 2, 4]))
    weights = np.array([[1, 1, 1], [0, 3, 0], [0, 0, 0], [2, 0, 1]])
    assert scores.values(weights)[[0, 1, 3]].tolist() == [0.6, 0.0, 8 / 12]
    assert np.isnan(scores.values(weights)[2])


def test_f1_of_a_selection(drawn):
    """Three images: found, missed, false alarm."""
    metric = CentroidMetric(["a"], 8)
    there, nothing = ([[8, 8, 16, 16]], [0], [0.9]), ([], [], [])
    found = [drawn.detections(*x) for x in (there, nothing, there)]
    truth = [drawn.detections(*x) for x in (there, there, nothing)]
    metric.update(found, Targets([t.boxes_xyxy for t in truth], [t.labels for t in truth]))
    assert isinstance(metric, Resampled) and isinstance(DetectionMetric(["a"]), Resampled)
    one, first = metric.per_image().values(np.array([[1, 1, 1], [2, 0, 1]]))
    assert one == metric.compute()["f1"] == 0.5
    assert first == 2 * 2 / (3 + 2)


def test_a_model_equals_itself(drawn):
    scores = precision_scores(drawn.random_images(0, 10, 2))
    result = compare("AP", scores, scores, resamples=50)
    assert (result.difference, result.low, result.high) == (0.0, 0.0, 0.0)
    assert (result.images, result.resamples, result.metric) == (10, 50, "AP")


def test_interval_of_a_known_difference():
    """Model a is right with probability .8, b with .6, independently. The variance of the mean
    difference over n images is (.8 * .2 + .6 * .4) / n."""
    rng = np.random.default_rng(1)
    n = 400
    right = [RatioScores((rng.random(n) < p).astype(np.int64), np.ones(n, int)) for p in (0.8, 0.6)]
    result = compare("top1", *right)
    half = 1.96 * np.sqrt((0.16 + 0.24) / n)
    assert result.low < result.difference < result.high
    assert result.high - result.low == pytest.approx(2 * half, rel=0.15)
    assert result.low > 0.0 and result.high < 0.35
    swapped = compare("top1", *right[::-1])
    assert swapped.low == pytest.approx(-result.high)


def test_pairing_narrows_the_interval(drawn):
    """The second model is the first, wrong on one image: what they share does not vary."""
    rng = np.random.default_rng(0)
    right = (rng.random(200) < 0.7).astype(np.int64)
    worse = right.copy()
    worse[np.flatnonzero(right)[0]] = 0
    ones = np.ones(200, np.int64)
    result = compare("top1", RatioScores(worse, ones), RatioScores(right, ones))
    assert -0.03 < result.low < result.high <= 0.0


def test_other_images_are_refused(drawn):
    a, b = (precision_scores(drawn.random_images(0, n, 2)) for n in (3, 4))
    with pytest.raises(UsageError, match="3 images against 4"):
        compare("AP", a, b)


def test_nothing_to_compare(drawn):
    empty = precision_scores(drawn.random_images(0, 0, 2))
    assert compare("AP", empty, empty) is None
    objectless = RatioScores(np.zeros(5, int), np.zeros(5, int))
    assert compare("f1", objectless, objectless) is None
