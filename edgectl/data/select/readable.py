"""The images of a set that can be read, where ``data.on_error`` says to go on without the others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from edgectl.data.images.orientation import read_labelled
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError
from edgectl.labels import Sample

_THREADS = 4


def leave_out_unreadable(
    index: DatasetIndex, seen: Callable[[], None] = lambda: None
) -> tuple[DatasetIndex, list[tuple[Path, str]]]:
    """(the set without them, (image, why) of each left out). ``seen`` is called once an image.

    Raises:
        DataError: no image of *train* is left.
    """
    skipped: list[tuple[Path, str]] = []
    splits = {}
    look = partial(_problem, seen=seen)
    with ThreadPoolExecutor(_THREADS) as pool:
        for name, samples in index.splits.items():
            problems = list(pool.map(look, samples))
            pairs = list(zip(samples, problems, strict=True))
            splits[name] = tuple(s for s, problem in pairs if not problem)
            skipped += [(s.path, problem) for s, problem in pairs if problem]
    if "train" in splits and not splits["train"]:
        path, problem = skipped[0]
        raise DataError(
            f"no image of 'train' can be read; the first: {problem}",
            where=str(path),
            fix="replace the images",
        )
    return replace(index, splits=splits), skipped


def _problem(sample: Sample, seen: Callable[[], None]) -> str:
    try:
        read_labelled(sample)
    except DataError as e:
        return e.message
    finally:
        seen()
    return ""
