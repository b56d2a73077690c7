"""The metric in original pixels: letterbox undone, clipped, crowd ignored; and unusual sets."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edgectl.errors import EdgectlError
from edgectl.labels import Targets
from edgectl.metrics.detection import FIGURES, DetectionMetric
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.tasks.lookup import task_metrics

SPECS = [
    PreprocessSpec((192, 192)),
    PreprocessSpec((128, 224), pad_side="center"),
    PreprocessSpec((96, 64), resize="stretch"),
]


def scored(drawn, samples, found, spec=SPECS[0], classes=("a", "b")):
    """found: detections in network-input pixels, one a sample."""
    metric = DetectionMetric(classes)
    metric.update(found, drawn.targets(samples, spec))
    return metric.compute()


def in_input(drawn, sample, spec, scores=None):
    """The sample's own boxes as detections."""
    source = drawn.targets([sample], spec).sources[0]
    boxes = source.geometry.to_input(sample.boxes_xyxy)
    scores = [0.9] * len(boxes) if scores is None else scores
    return drawn.detections(boxes, sample.labels, scores)


@pytest.mark.parametrize("spec", SPECS)
def test_the_letterbox_is_undone(drawn, spec):
    """Areas 400 (small), 2500 (medium) and 40000 (large) in an image of 1280 x 720: at the
    network's size all of them would be small or medium."""
    boxes = [[10, 10, 30, 30], [100, 100, 150, 150], [300, 300, 500, 500]]
    sample = drawn.sample(boxes, [0, 0, 1], size=(1280, 720))
    result = scored(drawn, [sample], [in_input(drawn, sample, spec)], spec)
    # one detection an image and class finds one of two a and the only b
    expected = {**dict.fromkeys(FIGURES, 1.0), "AR_1": 0.75}
    assert {f: result[f] for f in FIGURES} == pytest.approx(expected)
    assert result["per_class"] == {
        "a": {"AP": pytest.approx(1.0), "AP50": pytest.approx(1.0), "objects": 2},
        "b": {"AP": pytest.approx(1.0), "AP50": pytest.approx(1.0), "objects": 1},
    }


def test_detections_are_clipped_to_the_image(drawn):
    """A box that reaches into the border of the letterbox covers the same part of the image."""
    sample = drawn.sample([[0, 0, 640, 480]], [0])
    reaching = drawn.detections([[-20, -30, 230, 192]], [0], [0.9])
    assert scored(drawn, [sample], [reaching])["AP"] == pytest.approx(1.0)


def test_crowd_is_neither_target_nor_background(drawn):
    boxes = [[10, 10, 60, 60], [200, 200, 400, 400]]
    sample = drawn.sample(boxes, [0, 0], crowd=[False, True])
    # the second lies inside the crowd and has the better score: a false one would halve AP
    inside = drawn.sample([[10, 10, 60, 60], [210, 210, 260, 260]], [0, 0])
    found = in_input(drawn, inside, SPECS[0], scores=[0.5, 0.9])
    result = scored(drawn, [sample], [found])
    assert result["AP"] == pytest.approx(1.0)
    assert result["per_class"]["a"]["objects"] == 1
    without = drawn.sample(boxes[:1], [0])
    assert scored(drawn, [without], [found])["AP"] == pytest.approx(0.5)


def test_size_ranges_go_by_the_annotated_area(drawn):
    """COCO counts the pixels of the mask: 1000 of 2500 are small."""
    sample = drawn.sample([[0, 0, 50, 50]], [0], areas=[1000.0])
    result = scored(drawn, [sample], [in_input(drawn, sample, SPECS[0])])
    assert (result["AP_small"], result["AP_medium"]) == (pytest.approx(1.0), -1.0)


def test_what_is_not_there_is_minus_one(drawn):
    sample = drawn.sample([[0, 0, 200, 200]], [0])
    result = scored(drawn, [sample], [in_input(drawn, sample, SPECS[0])])
    missing = {f for f in FIGURES if result[f] == -1.0}
    assert missing == {"AP_small", "AP_medium", "AR_small", "AR_medium"}
    assert result["per_class"]["b"] == {"AP": -1.0, "AP50": -1.0, "objects": 0}
    assert all(type(result[f]) is float for f in FIGURES), "plain numbers, for JSON"


@pytest.mark.parametrize("found", [([], [], []), ([[1, 1, 9, 9]], [0], [0.5])])
def test_a_set_without_boxes(drawn, found):
    result = scored(drawn, [drawn.sample([], [])], [drawn.detections(*found)])
    assert {result[f] for f in FIGURES} == {-1.0}


def test_nothing_at_all():
    result = DetectionMetric(["a"]).compute()
    assert {result[f] for f in FIGURES} == {-1.0}


def test_nothing_found_is_zero(drawn):
    result = scored(drawn, [drawn.sample([[0, 0, 9, 9]], [0])], [drawn.detections([], [], [])])
    assert result["AP"] == result["AR_100"] == 0.0


def test_one_pixel_boxes(drawn):
    """At 192 of 1280 pixels a box is 0.15 pixels wide, and still itself."""
    sample = drawn.sample([[5, 5, 6, 6], [700, 300, 701, 301]], [0, 0], size=(1280, 720))
    result = scored(drawn, [sample], [in_input(drawn, sample, SPECS[0])])
    assert result["AP50"] == result["AP_small"] == pytest.approx(1.0)


def test_very_wide_image(drawn):
    """4000 x 20: under a pixel high in the network's input."""
    sample = drawn.sample([[100, 2, 300, 18], [3000, 0, 3900, 20]], [0, 1], size=(4000, 20))
    result = scored(drawn, [sample], [in_input(drawn, sample, SPECS[0])])
    assert result["AP50"] == pytest.approx(1.0)


def test_five_hundred_boxes_in_a_image(drawn):
    """COCO looks at 100 detections an image and class: no recall above 1/5 of one class."""
    corners = [[x * 20, y * 20, x * 20 + 15, y * 20 + 15] for x in range(25) for y in range(20)]
    sample = drawn.sample(corners, [0] * 500)
    start = time.process_time()
    result = scored(drawn, [sample], [in_input(drawn, sample, SPECS[0])])
    assert time.process_time() - start < 5.0  # of 0.1: something quadratic takes far more
    assert result["AR_100"] == pytest.approx(0.2)


def test_one_class(drawn):
    sample = drawn.sample([[0, 0, 200, 200]], [0])
    result = scored(drawn, [sample], [in_input(drawn, sample, SPECS[0])], classes=("only",))
    assert result["AP"] == result["per_class"]["only"]["AP"] == pytest.approx(1.0)


def test_targets_without_images_are_refused():
    metric = DetectionMetric(["a"])
    with pytest.raises(EdgectlError, match="which images"):
        metric.update([], Targets([], []))


def test_detection_is_a_task_without_a_threshold_to_choose(drawn):
    metrics = task_metrics("detection", ["a"], [OutputSpec("x", "class_logits", 8, 1)], (64, 64))
    assert metrics.main == "AP" and not metrics.tuned
    assert metrics.report is not None
    quick, full = metrics.build(), metrics.report()
    sample = drawn.sample([[0, 0, 200, 200]], [0])
    for metric in (quick, full):
        metric.update([in_input(drawn, sample, SPECS[0])], drawn.targets([sample], SPECS[0]))
    assert quick.compute()["AP"] == full.compute()["AP"] == pytest.approx(1.0)


def test_boxes_return_through_the_letterbox(drawn):
    sample = drawn.sample([[10, 20, 600, 400]], [0])
    for spec in SPECS:
        source = drawn.targets([sample], spec).sources[0]
        there = source.geometry.to_input(sample.boxes_xyxy)
        np.testing.assert_allclose(source.to_original(there), sample.boxes_xyxy, atol=1e-3)
