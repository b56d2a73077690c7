"""What the tasks that learn from boxes share: labels, batches, results, examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from edgectl.config.schema import RunConfig
from edgectl.data.catalog.demo import draw_split
from edgectl.data.index import DatasetIndex
from edgectl.data.loading.batches import BatchLoader, box_batches
from edgectl.data.loading.shard import Shard
from edgectl.errors import DataError
from edgectl.labels import Detections, Geometry, Sample, Targets
from edgectl.spec import PreprocessSpec, Size
from edgectl.tasks.image_task import ImageTask
from edgectl.tasks.results import describe_boxes


class BoxTask(ImageTask):
    """All of a :class:`edgectl.tasks.contract.Task` but the metrics."""

    def require_labels(
        self, index: DatasetIndex, samples: Sequence[Sample], *, learner: str
    ) -> None:
        """Every image has boxes, or nothing in it."""
        if any(s.image_label is not None for s in samples):
            raise wrong_labels(index, has="a class an image", wants="boxes", learner=learner)

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
        """Mosaic, affine transforms and colors, as ``[augment]`` says."""
        return box_batches(samples, spec, config, batch=batch, shard=shard)

    def describe_results(
        self, found: Detections, geometry: Geometry, size: Size, classes: Sequence[str]
    ) -> list[dict[str, Any]]:
        """``label``, ``score`` and ``box``."""
        return describe_boxes(found, geometry, size, classes)

    def example_targets(
        self, images: int, size: Size, num_classes: int, *, empty: bool = False
    ) -> Targets:
        """One to three boxes an image."""
        if empty:
            return no_boxes(images)
        generator = torch.Generator().manual_seed(0)
        boxes, labels = [], []
        height, width = size
        for i in range(images):
            count = 1 + i % 3
            corner = torch.rand(count, 2, generator=generator) * 0.5
            extent = 0.2 + torch.rand(count, 2, generator=generator) * 0.3
            scale = torch.tensor([width, height] * 2)
            boxes.append(torch.cat([corner, corner + extent], dim=1) * scale)
            labels.append(torch.randint(num_classes, (count,), generator=generator))
        return Targets(boxes, labels)

    def draw_example_split(self, directory: Path, count: int, key: int) -> None:
        """Drawn faces, in Roboflow's COCO layout."""
        draw_split(directory, count, (0, key))


def wrong_labels(index: DatasetIndex, *, has: str, wants: str, learner: str) -> DataError:
    """A set of labels the task does not learn from."""
    return DataError(
        f"'{index.name}' ({index.format}) is labelled with {has}; {learner} learns {wants}",
        where=str(index.root),
        fix="'edgectl models' shows the task of each family",
    )


def no_boxes(images: int) -> Targets:
    """Ground truth of images without objects."""
    return Targets([torch.zeros(0, 4)] * images, [torch.zeros(0, dtype=torch.int64)] * images)
