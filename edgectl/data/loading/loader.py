"""Batches for training and for evaluation.

A training batch is a pure function of (seed, epoch, position): no state to save, so a resumed run
sees the very pixels it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgectl.config.schema import AugmentConfig
from edgectl.data.images.disk_cache import Images
from edgectl.data.images.orientation import read_labelled
from edgectl.data.images.preprocess import resize_image
from edgectl.data.loading.augment import augment
from edgectl.data.loading.prefetch import ahead, shuffled
from edgectl.data.loading.shard import Shard
from edgectl.errors import DataError
from edgectl.labels import Sample, SourceImage, Targets
from edgectl.spec import PreprocessSpec

_EVAL_CACHE_BYTES = 512 << 20


@dataclass(frozen=True)
class Batch:
    """Attributes:
    images: uint8 (B, C, H, W), channels_last in memory.
    targets: boxes in network-input pixels.
    indices: which images the samples were built around.
    """

    images: Tensor
    targets: Targets
    indices: tuple[int, ...]


@dataclass(frozen=True)
class ImageBatch:
    """Attributes:
    images: uint8 (B, H, W, C), exactly as ``resize_image`` makes them.
    targets: boxes in network-input pixels, crowd left out; with ``sources``, crowd included.
    samples: what they were read from.
    """

    images: np.ndarray
    targets: Targets
    samples: tuple[Sample, ...]


class TrainLoader:
    """Shuffled, augmented batches; every epoch has the same number of full ones.

    A set smaller than a batch is gone through more than once, and so is every set where
    ``config.repeats`` asks for it. ``batch`` is one process's; ``shard``
    says which.

    Raises:
        DataError: the cache is empty.
    """

    def __init__(
        self,
        cache: Images,
        spec: PreprocessSpec,
        config: AugmentConfig,
        *,
        batch: int,
        seed: int,
        shard: Shard = Shard(),
    ) -> None:
        if not len(cache):
            raise DataError("no images to train on", fix="check the training split")
        self._cache, self._spec, self._config = cache, spec, config
        self._batch, self._seed, self._shard = batch, seed, shard
        self.steps_per_epoch = shard.steps(len(cache) * config.repeats, batch)

    def epoch(self, epoch: int, *, total_epochs: int) -> Iterator[Batch]:
        """``epoch`` counts from 0. Closing the iterator stops the thread behind it."""
        plain_from = total_epochs - round(self._config.mosaic_off_fraction * total_epochs)
        need = self.steps_per_epoch * self._batch * self._shard.world
        order = shuffled(len(self._cache), need, (self._seed, epoch))

        def make(step: int) -> Batch:
            first = self._shard.first(step, self._batch)
            chosen = order[first : first + self._batch]
            return self._make(chosen, first, epoch, mosaic=epoch < plain_from)

        yield from ahead(self.steps_per_epoch, make)

    def _make(self, chosen: Sequence[int], first: int, epoch: int, *, mosaic: bool) -> Batch:
        images, boxes, labels = [], [], []
        for position, index in enumerate(chosen, start=first):
            rng = np.random.default_rng((self._seed, epoch, position, index))
            image, own_boxes, own_labels = augment(
                index,
                self._cache.__getitem__,
                len(self._cache),
                self._spec,
                self._config,
                rng,
                mosaic=mosaic,
            )
            images.append(image)
            boxes.append(torch.from_numpy(own_boxes))
            labels.append(torch.from_numpy(own_labels))
        # (B, H, W, C) seen as NCHW is channels_last
        stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        return Batch(stacked, Targets(boxes, labels), tuple(chosen))


class EvalLoader:
    """Images in data-set order, exactly as the spec prepares them. Iterable again and again."""

    def __init__(self, samples: Sequence[Sample], spec: PreprocessSpec, batch: int) -> None:
        self._samples, self._spec, self._batch = tuple(samples), spec, batch
        rows, columns = spec.input_size
        held = len(self._samples) * rows * columns * spec.channels
        self._keep = held <= _EVAL_CACHE_BYTES
        self._kept: list[ImageBatch] = []

    def __iter__(self) -> Iterator[ImageBatch]:
        if self._kept:
            yield from self._kept
            return
        made = []
        for first in range(0, len(self._samples), self._batch):
            batch = self._read(self._samples[first : first + self._batch])
            if self._keep:
                made.append(batch)
            yield batch
        # only now: an iteration that was broken off has not seen them all
        self._kept = made

    def _read(self, samples: tuple[Sample, ...]) -> ImageBatch:
        images, boxes, labels, sources = [], [], [], []
        for sample in samples:
            pixels, upright = read_labelled(sample, self._spec.pad_value)
            image, geometry = resize_image(pixels, self._spec)
            wanted = ~upright.crowd
            images.append(image)
            boxes.append(torch.from_numpy(geometry.to_input(upright.boxes_xyxy[wanted])))
            labels.append(torch.from_numpy(upright.labels[wanted]))
            sources.append(SourceImage(upright, geometry))
        targets = Targets(boxes, labels, sources, _image_labels(samples))
        return ImageBatch(np.stack(images), targets, samples)


def _image_labels(samples: Sequence[Sample]) -> Tensor | None:
    """(N,) int64 where every image has a class of its own."""
    known = [s.image_label for s in samples if s.image_label is not None]
    return torch.tensor(known) if len(known) == len(samples) else None
