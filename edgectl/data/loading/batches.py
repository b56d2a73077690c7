"""Training loaders of the built-in kinds of labels: boxes, and a class for the whole image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from edgectl.config.schema import RunConfig
from edgectl.data.images.disk_cache import open_cache
from edgectl.data.loading.loader import Batch, TrainLoader
from edgectl.data.loading.shard import Shard
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec


class BatchLoader(Protocol):
    """What every training loader is."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch."""
        ...

    def epoch(self, epoch: int, *, total_epochs: int) -> Iterator[Batch]:
        """``epoch`` counts from 0."""
        ...


def box_batches(
    samples: Sequence[Sample],
    spec: PreprocessSpec,
    config: RunConfig,
    *,
    batch: int,
    shard: Shard = Shard(),
) -> BatchLoader:
    """Images with boxes. ``batch`` and ``shard`` are of one process.

    Raises DataError for no samples, and for images that cannot be read.
    """
    cache = open_cache(samples, spec, config.data.cache)
    seed = config.train.seed
    return TrainLoader(cache, spec, config.augment, batch=batch, seed=seed, shard=shard)


def class_batches(
    samples: Sequence[Sample],
    spec: PreprocessSpec,
    config: RunConfig,
    *,
    num_classes: int,
    batch: int,
    shard: Shard = Shard(),
) -> BatchLoader:
    """Images with a class each; see :func:`box_batches`."""
    # here, because it loads torchvision, which takes a second
    from edgectl.data.loading.class_loader import ClassTrainLoader

    return ClassTrainLoader(
        open_cache(samples, spec, config.data.cache),
        np.array([s.image_label for s in samples], np.int64),
        spec,
        config.classify,
        num_classes=num_classes,
        batch=batch,
        seed=config.train.seed,
        shard=shard,
    )
