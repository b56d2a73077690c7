"""Batches for training and for evaluation.

A training batch is a pure function of (seed, epoch, position): no state to save, so a resumed run
sees the very pixels it would have seen. One background thread prepares the next batches while torch
computes; OpenCV releases the interpreter lock.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgectl.config.schema import AugmentConfig
from edgectl.data.augment import augment
from edgectl.data.cache import PictureCache
from edgectl.data.index import Sample
from edgectl.data.orientation import read_labelled
from edgectl.data.preprocess import SourcePicture, resize_picture
from edgectl.errors import DataError
from edgectl.types import PreprocessSpec, Targets

_AHEAD = 4
"""Batches prepared in advance."""
_EVAL_CACHE_BYTES = 512 << 20
_POLL_S = 0.1


@dataclass(frozen=True)
class Batch:
    """Attributes:
    pictures: uint8 (B, 3, H, W), channels_last in memory.
    targets: boxes in network-input pixels.
    indices: which pictures the samples were built around.
    """

    pictures: Tensor
    targets: Targets
    indices: tuple[int, ...]


@dataclass(frozen=True)
class PictureBatch:
    """Attributes:
    pictures: uint8 (B, H, W, 3), exactly as ``resize_picture`` makes them.
    targets: boxes in network-input pixels, crowd left out; with ``sources``, crowd included.
    samples: what they were read from.
    """

    pictures: np.ndarray
    targets: Targets
    samples: tuple[Sample, ...]


class TrainLoader:
    """Shuffled, augmented batches; every epoch has the same number of full ones.

    A set smaller than a batch is gone through more than once.

    Raises:
        DataError: the cache is empty.
    """

    def __init__(
        self,
        cache: PictureCache,
        spec: PreprocessSpec,
        config: AugmentConfig,
        *,
        batch: int,
        seed: int,
    ) -> None:
        if not len(cache):
            raise DataError("no pictures to train on", fix="check the training split")
        self._cache, self._spec, self._config = cache, spec, config
        self._batch, self._seed = batch, seed
        self.steps_per_epoch = max(1, len(cache) // batch)

    def epoch(self, epoch: int, *, total_epochs: int) -> Iterator[Batch]:
        """``epoch`` counts from 0. Closing the iterator stops the thread behind it."""
        plain_from = total_epochs - round(self._config.mosaic_off_fraction * total_epochs)
        order = self._order(epoch)
        ready: queue.Queue[Batch | BaseException] = queue.Queue(_AHEAD)
        stop = threading.Event()

        def put(item: Batch | BaseException) -> None:
            while not stop.is_set():
                with contextlib.suppress(queue.Full):
                    ready.put(item, timeout=_POLL_S)
                    return

        def produce() -> None:
            try:
                for step in range(self.steps_per_epoch):
                    if stop.is_set():
                        return
                    first = step * self._batch
                    chosen = order[first : first + self._batch]
                    put(self._make(chosen, first, epoch, mosaic=epoch < plain_from))
            except BaseException as e:  # noqa: BLE001 - handed to the consumer, who raises it
                put(e)

        worker = threading.Thread(target=produce, name="edgectl-loader", daemon=True)
        worker.start()
        try:
            for _ in range(self.steps_per_epoch):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            worker.join()

    def _order(self, epoch: int) -> list[int]:
        need = self.steps_per_epoch * self._batch
        rng = np.random.default_rng((self._seed, epoch))
        rounds = -(-need // len(self._cache))
        order = np.concatenate([rng.permutation(len(self._cache)) for _ in range(rounds)])
        return [int(i) for i in order[:need]]

    def _make(self, chosen: Sequence[int], first: int, epoch: int, *, mosaic: bool) -> Batch:
        pictures, boxes, labels = [], [], []
        for position, index in enumerate(chosen, start=first):
            rng = np.random.default_rng((self._seed, epoch, position, index))
            picture, own_boxes, own_labels = augment(
                index,
                self._cache.__getitem__,
                len(self._cache),
                self._spec,
                self._config,
                rng,
                mosaic=mosaic,
            )
            pictures.append(picture)
            boxes.append(torch.from_numpy(own_boxes))
            labels.append(torch.from_numpy(own_labels))
        # (B, H, W, C) seen as NCHW is channels_last
        stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        return Batch(stacked, Targets(boxes, labels), tuple(chosen))


class EvalLoader:
    """Pictures in data-set order, exactly as the spec prepares them. Iterable again and again."""

    def __init__(self, samples: Sequence[Sample], spec: PreprocessSpec, batch: int) -> None:
        self._samples, self._spec, self._batch = tuple(samples), spec, batch
        rows, columns = spec.input_size
        self._keep = len(self._samples) * rows * columns * 3 <= _EVAL_CACHE_BYTES
        self._kept: list[PictureBatch] = []

    def __iter__(self) -> Iterator[PictureBatch]:
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

    def _read(self, samples: tuple[Sample, ...]) -> PictureBatch:
        pictures, boxes, labels, sources = [], [], [], []
        for sample in samples:
            pixels, upright = read_labelled(sample)
            picture, geometry = resize_picture(pixels, self._spec)
            wanted = ~upright.crowd
            pictures.append(picture)
            boxes.append(torch.from_numpy(geometry.to_input(upright.boxes_xyxy[wanted])))
            labels.append(torch.from_numpy(upright.labels[wanted]))
            sources.append(SourcePicture(upright, geometry))
        return PictureBatch(np.stack(pictures), Targets(boxes, labels, sources), samples)
