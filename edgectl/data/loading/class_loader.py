"""Training batches of whole-image classes: random crop, flip, RandAugment, mixing, class weights.

As :mod:`edgectl.data.loading.loader`: a batch is a pure function of (seed, epoch, position).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edgectl.config.schema import ClassifyConfig
from edgectl.data.images.disk_cache import Images
from edgectl.data.images.preprocess import letterbox_geometry, resize_to
from edgectl.data.loading.loader import Batch
from edgectl.data.loading.mixup import mix, mixes
from edgectl.data.loading.prefetch import ahead, shuffled
from edgectl.data.loading.randaugment import randaugment
from edgectl.data.loading.shard import Shard
from edgectl.errors import DataError
from edgectl.labels import Targets
from edgectl.spec import PreprocessSpec

_MIXING = 0x317
"""Keeps the draws of a batch apart from those of its images."""


class ClassTrainLoader:
    """Shuffled, augmented batches; every epoch has the same number of full ones.

    Args:
        labels: (N,) int64, the class of each image of ``cache``.
        num_classes: width of mixed labels.

    Raises:
        DataError: the cache is empty.
    """

    def __init__(
        self,
        cache: Images,
        labels: np.ndarray,
        spec: PreprocessSpec,
        config: ClassifyConfig,
        *,
        num_classes: int,
        batch: int,
        seed: int,
        shard: Shard = Shard(),
    ) -> None:
        if not len(cache):
            raise DataError("no images to train on", fix="check the training split")
        self._cache, self._spec, self._config = cache, spec, config
        self._labels, self._num_classes = torch.from_numpy(labels), num_classes
        self._weights = _balanced(labels, num_classes) if config.class_weights != "none" else None
        self._batch, self._seed, self._shard = batch, seed, shard
        self.steps_per_epoch = shard.steps(len(cache), batch)

    def epoch(self, epoch: int, *, total_epochs: int) -> Iterator[Batch]:
        """``epoch`` counts from 0. Closing the iterator stops the thread behind it."""
        need = self.steps_per_epoch * self._batch * self._shard.world
        order = shuffled(len(self._cache), need, (self._seed, epoch))

        def make(step: int) -> Batch:
            return self._make(order, step, epoch)

        yield from ahead(self.steps_per_epoch, make)

    def _make(self, order: Sequence[int], step: int, epoch: int) -> Batch:
        first = self._shard.first(step, self._batch)
        positions = range(first, first + self._batch)
        stacked = self._images(order, positions, epoch)
        chosen = [order[p] for p in positions]
        labels: Tensor = self._labels[chosen]
        shares = self._shares(labels)
        if mixes(self._config):
            stacked, shares = self._mix(order, step, epoch, stacked, shares)
            labels = shares
        empty = [torch.zeros(0, 4)] * len(chosen), [torch.zeros(0, dtype=torch.int64)] * len(chosen)
        weights = None if self._weights is None else shares @ self._weights
        targets = Targets(*empty, image_labels=labels, image_weights=weights)
        return Batch(stacked, targets, tuple(chosen))

    def _images(self, order: Sequence[int], positions: Sequence[int], epoch: int) -> Tensor:
        images = [
            augment_whole(
                self._cache[order[position]].pixels,
                self._spec,
                self._config,
                np.random.default_rng((self._seed, epoch, position, order[position])),
            )
            for position in positions
        ]
        # (B, H, W, C) seen as NCHW is channels_last
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)

    def _shares(self, labels: Tensor) -> Tensor:
        return F.one_hot(labels, self._num_classes).float()

    def _mix(
        self, order: Sequence[int], step: int, epoch: int, stacked: Tensor, shares: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Each image with the one before it in the joint batch."""
        before = self._shard.before(step, self._batch)
        if self._shard.world == 1:
            neighbor, share = stacked[-1:], shares[-1:]
        else:
            neighbor = self._images(order, [before], epoch)
            share = self._shares(self._labels[[order[before]]])
        # one draw for the joint batch
        joint = step * self._shard.world * self._batch
        rng = np.random.default_rng((self._seed, epoch, joint, _MIXING))
        others = torch.cat([neighbor, stacked[:-1]]), torch.cat([share, shares[:-1]])
        return mix((stacked, shares), others, self._config, rng)


def augment_whole(
    pixels: np.ndarray, spec: PreprocessSpec, config: ClassifyConfig, rng: np.random.Generator
) -> np.ndarray:
    """One training sample: (H, W, C) uint8 to (rows, columns, C) uint8, channel order kept.

    The crop is brought into the network's input as evaluation does it with whole images, letterboxed
    or stretched.
    """
    out = _fit(_random_crop(pixels, config, rng), spec)
    if rng.random() < config.flip:
        out = out[:, ::-1]
    if config.randaugment:
        out = randaugment(out, spec, rng, operations=config.randaugment, magnitude=config.magnitude)
    return out


def _random_crop(
    pixels: np.ndarray, config: ClassifyConfig, rng: np.random.Generator
) -> np.ndarray:
    """After Szegedy et al., 2015 (arXiv:1409.4842, section 6), relative to the image's own shape."""
    height, width = pixels.shape[:2]
    area = rng.uniform(*config.crop_area)
    low, high = map(math.log, config.crop_ratio)
    ratio = math.exp(rng.uniform(low, high))
    rows = min(height, max(1, round(height * math.sqrt(area / ratio))))
    columns = min(width, max(1, round(width * math.sqrt(area * ratio))))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return pixels[top : top + rows, left : left + columns]


def _fit(pixels: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    (rows, columns), geometry = letterbox_geometry(pixels.shape[0], pixels.shape[1], spec)
    out = np.full((*spec.input_size, spec.channels), spec.pad_value, np.uint8)
    top, left = geometry.pad_top, geometry.pad_left
    out[top : top + rows, left : left + columns] = resize_to(pixels, (rows, columns))
    return out


def _balanced(labels: np.ndarray, num_classes: int) -> Tensor:
    """(C,) weights inverse to the number of images, 1 on average over the images."""
    counts = np.bincount(labels, minlength=num_classes)
    present = np.count_nonzero(counts)
    return torch.from_numpy(len(labels) / (present * np.maximum(counts, 1))).float()
