"""Finding the centers of objects on one grid of cells."""

from __future__ import annotations

from collections.abc import Sequence

from edgectl.metrics.centroid import CentroidMetric
from edgectl.metrics.evaluator import Metrics
from edgectl.spec import OutputSpec, Size
from edgectl.tasks.boxes import BoxTask


class CentroidTask(BoxTask):
    """Scored by F1 at a threshold that is chosen on held-back images."""

    def metrics(
        self, classes: Sequence[str], outputs: Sequence[OutputSpec], input_size: Size
    ) -> Metrics:
        """Object-level F1; reports have the cell-wise metrics too."""
        stride = outputs[0].stride
        grid = (input_size[0] // stride, input_size[1] // stride)
        return Metrics(
            main="f1",
            build=lambda: CentroidMetric(classes, stride),
            report=lambda: CentroidMetric(classes, stride, grid),
        )
