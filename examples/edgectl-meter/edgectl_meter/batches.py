"""Training batches: the dial turned, moved, scaled and recolored, every key point kept in view."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch

from edgectl.config.schema import AugmentConfig
from edgectl.data.images.cache import Image
from edgectl.data.images.disk_cache import Images
from edgectl.data.loading.augment import jitter_color
from edgectl.data.loading.loader import Batch
from edgectl.data.loading.prefetch import ahead, shuffled
from edgectl.data.loading.shard import Shard
from edgectl.errors import DataError
from edgectl.labels import Targets
from edgectl.spec import PreprocessSpec, Size
from edgectl_meter.points import mark_points

_TRIES = 5


class PointBatches:
    """A pure function of (seed, epoch, position), as core's own loaders. ``batch`` is one process's.

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
        need = self.steps_per_epoch * self._batch * self._shard.world
        order = shuffled(len(self._cache), need, (self._seed, epoch))

        def make(step: int) -> Batch:
            first = self._shard.first(step, self._batch)
            return self._make(order[first : first + self._batch], first, epoch)

        yield from ahead(self.steps_per_epoch, make)

    def _make(self, chosen: Sequence[int], first: int, epoch: int) -> Batch:
        images, boxes, labels = [], [], []
        for position, index in enumerate(chosen, start=first):
            rng = np.random.default_rng((self._seed, epoch, position, index))
            image = self._cache[index]
            pixels, points = augment_dial(image, self._spec, self._config, rng)
            images.append(pixels)
            boxes.append(torch.from_numpy(mark_points(points)))
            labels.append(torch.from_numpy(image.labels))
        stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        return Batch(stacked, Targets(boxes, labels), tuple(chosen))


def augment_dial(
    image: Image, spec: PreprocessSpec, config: AugmentConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns, C) uint8 and (P, 2) points in its pixels, in the order of ``image.labels``."""
    height, width = image.pixels.shape[:2]
    rows, columns = spec.input_size
    points = (image.boxes_xyxy[:, :2] + image.boxes_xyxy[:, 2:]).astype(np.float64) / 2
    fit = np.array([[columns / width, 0.0, 0.0], [0.0, rows / height, 0.0]])
    matrix = fit
    for _ in range(_TRIES):
        tried = _move((rows, columns), config, rng) @ np.vstack([fit, [0.0, 0.0, 1.0]])
        if _inside(_apply(tried, points), (rows, columns)):
            matrix = tried
            break
    # a coordinate of 0 is the outer edge of pixel 0; OpenCV counts from the centers of the pixels
    centered = matrix.copy()
    centered[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    out = cv2.warpAffine(
        image.pixels,
        centered,
        (columns, rows),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # OpenCV drops an axis of one channel
    warped = np.asarray(out, np.uint8).reshape(rows, columns, -1)
    colored = jitter_color(warped, config, rng, rgb=spec.channel_order == "rgb")
    return colored, _apply(matrix, points)


def _move(size: Size, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """(2, 3): about the middle of an image of ``size``."""
    rows, columns = size
    low, high = config.scale
    factor = math.exp(rng.uniform(math.log(low), math.log(high)))
    angle = math.radians(rng.uniform(-config.rotate, config.rotate))
    cos, sin = factor * math.cos(angle), factor * math.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.array([columns / 2, rows / 2])
    shift = rng.uniform(-config.translate, config.translate, 2) * (columns, rows)
    return np.concatenate([linear, (middle + shift - linear @ middle)[:, None]], axis=1)


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    moved: np.ndarray = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _inside(points: np.ndarray, size: Size) -> bool:
    rows, columns = size
    return bool(((points >= 0) & (points <= (columns, rows))).all())
