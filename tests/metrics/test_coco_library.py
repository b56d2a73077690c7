"""faster-coco-eval held equal to pycocotools, figure by figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgectl.data.formats import read_dataset
from edgectl.metrics.coco_library import ImageBoxes, best_of, coco_curves
from edgectl.metrics.detection import FIGURES, DetectionMetric, PrecisionMetric

pytest.importorskip("pycocotools")


def figures(images, classes, library=None, kind=DetectionMetric):
    metric = kind([f"class{i}" for i in range(classes)], library)
    metric.images = images
    return metric.compute()


@pytest.mark.parametrize("seed", range(3))
def test_random_detections(drawn, seed):
    images = drawn.random_images(seed, 20, 3)
    fast = figures(images, 3, "faster-coco-eval")
    reference = figures(images, 3, "pycocotools")
    for name in FIGURES:
        assert fast[name] == pytest.approx(reference[name], abs=1e-12)
    for name, own in fast["per_class"].items():
        assert own == pytest.approx(reference["per_class"][name], abs=1e-12)
    assert 0 < fast["AP"] < fast["AP50"] < 1


def test_curves_are_equal_in_every_bin(drawn):
    images = drawn.random_images(7, 15, 2)
    fast, reference = (
        coco_curves(images, 2, library=name) for name in ("faster-coco-eval", "pycocotools")
    )
    # pycocotools adds the smallest float to its denominators
    np.testing.assert_allclose(fast.precision, reference.precision, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fast.recall, reference.recall, rtol=0, atol=1e-12)


def test_epoch_figures_are_those_of_the_report(drawn):
    images = drawn.random_images(3, 20, 3)
    full = figures(images, 3)
    quick = figures(images, 3, kind=PrecisionMetric)
    assert quick == {name: full[name] for name in ("AP", "AP50", "AP75")}


def test_coco128_as_the_reference_program_reads_it(coco128: Path):
    """Our reading of the annotations against pycocotools' own, on jittered ground truth."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    index = read_dataset(coco128)
    truth = COCO(str(coco128 / "annotations" / "instances_val2017.json"))
    category = sorted(truth.getCatIds())  # label i is the i-th category id, of 90
    number = {row["file_name"]: key for key, row in truth.imgs.items()}
    rng = np.random.default_rng(0)
    images, rows = [], []
    for s in index.splits["valid"]:
        boxes = s.boxes_xyxy + rng.normal(0, 4, s.boxes_xyxy.shape)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        boxes, scores = boxes.astype(np.float32), rng.random(len(boxes))
        images.append(
            ImageBoxes(s.boxes_xyxy, s.labels, s.crowd, s.object_areas(), boxes, s.labels, scores)
        )
        for box, label, score in zip(boxes.astype(float).tolist(), s.labels, scores, strict=True):
            size = [box[2] - box[0], box[3] - box[1]]
            rows.append(
                {
                    "image_id": number[s.path.name],
                    "category_id": category[label],
                    "bbox": [*box[:2], *size],
                    "score": float(score),
                }
            )
    evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    ours = figures(images, 80)
    assert [ours[f] for f in FIGURES] == pytest.approx(evaluation.stats.tolist(), abs=1e-6)
    assert ours["AP_small"] > 0 and len(index.classes) == 80


def test_no_more_than_the_limit_is_handed_over(drawn):
    (image,) = drawn.random_images(1, 1, 2)
    best = best_of(image, 3)
    for c in (0, 1):
        own = np.sort(image.scores[image.labels == c])[::-1][:3]
        np.testing.assert_array_equal(best.scores[best.labels == c], own)
