"""What each task is judged by."""

from __future__ import annotations

from collections.abc import Sequence

from edgectl.metrics.centroid import CentroidMetric
from edgectl.metrics.classification import ClassificationMetric
from edgectl.metrics.detection import DetectionMetric, PrecisionMetric
from edgectl.metrics.evaluator import Metrics
from edgectl.spec import OutputSpec, Size, Task

MAIN_METRIC: dict[str, str] = {"centroid": "f1", "detection": "AP", "classification": "top1"}


def task_metrics(
    task: Task, classes: Sequence[str], outputs: Sequence[OutputSpec], input_size: Size
) -> Metrics:
    """The accumulators of a task for a model with these outputs."""
    if task == "detection":
        # AP weighs every score threshold, so there is none to choose
        return Metrics(
            main=MAIN_METRIC[task],
            build=lambda: PrecisionMetric(classes),
            tuned=False,
            report=lambda: DetectionMetric(classes),
        )
    if task == "classification":
        # the best class wins whatever its score
        return Metrics(
            main=MAIN_METRIC[task], build=lambda: ClassificationMetric(classes), tuned=False
        )
    stride = outputs[0].stride
    grid = (input_size[0] // stride, input_size[1] // stride)
    return Metrics(
        main=MAIN_METRIC[task],
        build=lambda: CentroidMetric(classes, stride),
        report=lambda: CentroidMetric(classes, stride, grid),
    )
