"""What a task provides. Structural types: nothing to inherit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgectl.config.schema import RunConfig
from edgectl.data.index import DatasetIndex
from edgectl.data.loading.batches import BatchLoader
from edgectl.data.loading.shard import Shard
from edgectl.labels import Detections, Geometry, Sample, Targets
from edgectl.metrics.evaluator import EvalBatch, Metrics
from edgectl.spec import OutputSpec, PreprocessSpec, Size


class Task(Protocol):
    """A task's code; its light facts are a :class:`edgectl.plugins.info.TaskInfo`. Stateless."""

    def require_labels(
        self, index: DatasetIndex, samples: Sequence[Sample], *, learner: str
    ) -> None:
        """Raises DataError where ``samples`` of a training split do not have the labels this task
        learns from. ``learner`` is the family's name, for the message."""
        ...

    def metrics(
        self, classes: Sequence[str], outputs: Sequence[OutputSpec], input_size: Size
    ) -> Metrics:
        """The accumulators for a model with these outputs. ``Metrics.main`` is the registered
        ``main_metric``, and ``Metrics.tuned`` the registered ``operating_point``."""
        ...

    def train_batches(
        self,
        samples: Sequence[Sample],
        spec: PreprocessSpec,
        config: RunConfig,
        *,
        num_classes: int,
        batch: int,
        shard: Shard = Shard(),
    ) -> BatchLoader:
        """Shuffled, augmented batches, a pure function of seed and epoch. ``batch`` and ``shard`` are of
        one process.

        Raises DataError for no samples, and for images that cannot be read.
        """
        ...

    def eval_batches(
        self, samples: Sequence[Sample], spec: PreprocessSpec, *, batch: int
    ) -> Iterable[EvalBatch]:
        """The images in order, exactly as ``spec`` prepares them; can be iterated again and again."""
        ...

    def describe_results(
        self, found: Detections, geometry: Geometry, size: Size, classes: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Results in one image as JSON values, best first, a ``label`` in each.

        Args:
            found: in network-input pixels.
            geometry: how the image got into the network's input.
            size: (height, width) of the image.
        """
        ...

    def summarize_results(self, rows: Sequence[dict[str, Any]]) -> str:
        """What :meth:`describe_results` returned, in a line for people; empty where nothing was found."""
        ...

    def draw_results(
        self, image_bgr: np.ndarray, rows: list[dict[str, Any]], classes: Sequence[str]
    ) -> np.ndarray:
        """A copy of the image, uint8 (H, W, 3), with what :meth:`describe_results` returned drawn in."""
        ...

    def board_decoder(self) -> str | None:
        """Source of ``decode.py`` for boards with Python and NumPy: ``decode(heads, model)`` returns
        ``[(label, score, (x0, y0, x1, y1) or None)]`` in network-input pixels from {head: float32 array}
        and ``model.json``. None where ``deploy/board/decode.py`` has the program the task names."""
        ...

    def example_targets(
        self, images: int, size: Size, num_classes: int, *, empty: bool = False
    ) -> Targets:
        """Drawn ground truth of a batch for the conformance kit; nothing to find where ``empty``."""
        ...

    def draw_example_split(self, directory: Path, count: int, key: int) -> None:
        """Draws one split of a small data set for the conformance kit. Every split has the same classes;
        ``directory`` is named after the split and need not exist; ``key`` is the seed."""
        ...
