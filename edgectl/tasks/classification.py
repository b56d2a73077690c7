"""Telling the class of the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from edgectl.config.schema import RunConfig
from edgectl.data.index import DatasetIndex
from edgectl.data.loading.batches import BatchLoader, class_batches
from edgectl.data.loading.shard import Shard
from edgectl.errors import DataError
from edgectl.labels import Detections, Geometry, Sample, Targets
from edgectl.metrics.classification import ClassificationMetric
from edgectl.metrics.evaluator import Metrics
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl.tasks.boxes import no_boxes, wrong_labels
from edgectl.tasks.image_task import ImageTask
from edgectl.tasks.results import describe_classes

_MOST_DESCRIBED = 5
_EXAMPLE_SIDE = 64
_EXAMPLE_CLASSES = {"dark": 60, "light": 190}


class ClassificationTask(ImageTask):
    """Scored by top-1; the best class wins whatever its score."""

    def require_labels(
        self, index: DatasetIndex, samples: Sequence[Sample], *, learner: str
    ) -> None:
        """Every image has a class, and there are two at least."""
        if any(s.image_label is None for s in samples):
            raise wrong_labels(index, has="boxes", wants="a class an image", learner=learner)
        if len({s.image_label for s in samples}) < 2:
            raise DataError(
                f"images of one class only ({index.classes[samples[0].image_label or 0]}): "
                "nothing to tell apart",
                where=str(index.root),
                fix="add a folder with images of everything else",
            )

    def metrics(
        self, classes: Sequence[str], outputs: Sequence[OutputSpec], input_size: Size
    ) -> Metrics:
        """Top-1 and what goes with it."""
        return Metrics(main="top1", build=lambda: ClassificationMetric(classes), tuned=False)

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
        """Crops and mixtures, as ``[classify]`` says."""
        return class_batches(
            samples, spec, config, num_classes=num_classes, batch=batch, shard=shard
        )

    def describe_results(
        self, found: Detections, geometry: Geometry, size: Size, classes: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The five likeliest classes."""
        return describe_classes(found, classes)[:_MOST_DESCRIBED]

    def example_targets(
        self, images: int, size: Size, num_classes: int, *, empty: bool = False
    ) -> Targets:
        """A class an image, in turn; there is no image without one."""
        return replace(no_boxes(images), image_labels=torch.arange(images) % num_classes)

    def draw_example_split(self, directory: Path, count: int, key: int) -> None:
        """A folder a class, told apart by brightness."""
        for name, brightness in _EXAMPLE_CLASSES.items():
            place = directory / name
            place.mkdir(parents=True)
            for i in range(count):
                rng = np.random.default_rng((key, brightness, i))
                noise = rng.integers(-40, 41, (_EXAMPLE_SIDE, _EXAMPLE_SIDE, 3))
                done, data = cv2.imencode(".png", (noise + brightness).astype(np.uint8))
                assert done
                (place / f"{i:03d}.png").write_bytes(data.tobytes())
