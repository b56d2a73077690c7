"""Finding boxes around objects."""

from __future__ import annotations

from collections.abc import Sequence

from edgectl.metrics.detection import DetectionMetric, PrecisionMetric
from edgectl.metrics.evaluator import Metrics
from edgectl.spec import OutputSpec, Size
from edgectl.tasks.boxes import BoxTask


class DetectionTask(BoxTask):
    """Scored by COCO's AP, which weighs every score threshold, so there is none to choose."""

    def metrics(
        self, classes: Sequence[str], outputs: Sequence[OutputSpec], input_size: Size
    ) -> Metrics:
        """AP; reports have COCO's whole table."""
        return Metrics(
            main="AP",
            build=lambda: PrecisionMetric(classes),
            tuned=False,
            report=lambda: DetectionMetric(classes),
        )
