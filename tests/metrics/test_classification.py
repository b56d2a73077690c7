from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgectl.labels import Detections, Sample, Targets
from edgectl.metrics.classification import ClassificationMetric
from edgectl.metrics.diagnosis import Evidence, diagnose
from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import task_metrics


def ranked(*rankings):
    return [
        Detections(torch.zeros(0, 4), torch.linspace(1, 0, len(r)), torch.tensor(r))
        for r in rankings
    ]


def truth(*labels):
    return Targets([torch.zeros(0, 4)] * len(labels), [], image_labels=torch.tensor(labels))


def test_counts_by_hand():
    metric = ClassificationMetric(("a", "b", "c"))
    metric.update(ranked([0, 1, 2], [0, 1, 2]), truth(0, 1))
    metric.update(ranked([1, 0, 2], [1, 2, 0]), truth(1, 1))
    found = metric.compute()
    assert found["top1"] == 3 / 4
    assert found["top5"] == 1.0
    assert found["confusion"] == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    assert found["per_class"]["b"] == {
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(4 / 5),
        "images": 3,
    }
    assert found["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "images": 0}


def test_top5_looks_at_five():
    metric = ClassificationMetric([str(i) for i in range(8)])
    ranking = [3, 1, 2, 0, 7, 6, 5, 4]
    metric.update(ranked(ranking, ranking), truth(7, 6))
    assert metric.compute()["top1"] == 0.0
    assert metric.compute()["top5"] == 0.5


def test_no_matrix_for_very_many_classes():
    metric = ClassificationMetric([str(i) for i in range(300)])
    metric.update(ranked(list(range(300))), truth(0))
    assert "confusion" not in metric.compute()


def test_targets_without_image_labels_are_refused():
    with pytest.raises(ValueError, match="one class an image"):
        ClassificationMetric(("a", "b")).update(ranked([0, 1]), Targets([], []))


def test_the_task_is_judged_by_top1_without_a_threshold():
    metrics = task_metrics(
        "classification", ("a", "b"), (OutputSpec("classes", "class_logits", 0, 2),), (32, 32)
    )
    assert (metrics.main, metrics.tuned) == ("top1", False)
    assert metrics.build().compute()["top1"] == 0.0


def test_top1_can_be_resampled():
    metric = ClassificationMetric(("a", "b"))
    metric.update(ranked([0, 1], [1, 0], [1, 0]), truth(0, 0, 1))
    scores = metric.per_image()
    weights = np.array([[1, 1, 1], [0, 3, 0]])
    assert scores.values(weights).tolist() == pytest.approx([metric.compute()["top1"], 0.0])


def whole(label):
    nothing = np.zeros(0, np.int64)
    boxes = np.zeros((0, 4), np.float32)
    return Sample(Path("p"), 0, 0, boxes, nothing, nothing.astype(bool), image_label=label)


def test_the_diagnosis_counts_images_and_names_a_confusion():
    evidence = Evidence(
        main="top1",
        figures={"top1": 0.7, "confusion": [[6, 4], [0, 10]]},
        classes=("a", "b"),
        scored=[whole(0)] * 10 + [whole(1)] * 10,
        train=[whole(0)] * 30 + [whole(1)] * 5,
    )
    found = {f.kind: f.evidence for f in diagnose(evidence)}
    assert found == {
        "few_examples": {"train": {"b": 5}},
        "confused_classes": {"true": "a", "predicted": "b", "images": 4, "of": 10},
    }
