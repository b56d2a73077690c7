"""Latency of a file on this machine: the median of repeated runs on one image."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

_WARM_UP = 3
_LEAST_RUNS = 5


@dataclass(frozen=True)
class Latency:
    """Milliseconds: the median, and the tenth and ninetieth of a hundred."""

    median_ms: float
    fast_ms: float
    slow_ms: float
    runs: int


def measure(
    runner: Callable[[np.ndarray], Any], shape: tuple[int, int, int], *, seconds: float
) -> Latency:
    """Runs for about ``seconds``, at least :data:`_LEAST_RUNS` times.

    shape: of an image, (height, width, channels).
    """
    image = np.random.default_rng(0).integers(0, 256, (1, *shape), dtype=np.uint8)
    for _ in range(_WARM_UP):
        runner(image)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < _LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        runner(image)
        times.append((time.perf_counter() - start) * 1e3)
    fast, slow = np.quantile(times, [0.1, 0.9])
    return Latency(statistics.median(times), float(fast), float(slow), len(times))
