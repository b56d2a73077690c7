"""What training loaders share: the order of the images, and a thread that works ahead.

One background thread prepares the next batches while torch computes; OpenCV and torch release the
interpreter lock.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_AHEAD = 4
"""Batches prepared in advance."""
_POLL_S = 0.1


def ahead(steps: int, make: Callable[[int], T]) -> Iterator[T]:
    """``make(0)`` to ``make(steps - 1)``, made in a thread. Closing the iterator stops it; what
    ``make`` raises is raised here."""
    ready: queue.Queue[T | BaseException] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def put(item: T | BaseException) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=_POLL_S)
                return

    def produce() -> None:
        try:
            for step in range(steps):
                if stop.is_set():
                    return
                put(make(step))
        except BaseException as e:  # noqa: BLE001 - handed to the consumer, who raises it
            put(e)

    worker = threading.Thread(target=produce, name="edgectl-loader", daemon=True)
    worker.start()
    try:
        for _ in range(steps):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        worker.join()


def shuffled(count: int, need: int, key: Sequence[int]) -> list[int]:
    """``need`` indices below ``count``: whole permutations one after another, the last cut short."""
    rng = np.random.default_rng(tuple(key))
    rounds = -(-need // count)
    order = np.concatenate([rng.permutation(count) for _ in range(rounds)])
    return [int(i) for i in order[:need]]
