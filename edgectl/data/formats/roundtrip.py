"""Reads a written set back before it gets its name: what a format cannot say must not be lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgectl.data.formats import read_dataset
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError
from edgectl.labels import Sample

_TOLERANCE = 0.01
"""Pixels a box may move by being written as text."""


def require_same(
    index: DatasetIndex,
    directory: Path,
    fmt: str,
    origins: Mapping[Path, Sample],
    *,
    crowd: bool,
) -> None:
    """Compares splits, classes, images and boxes of ``directory`` with ``index``.

    Args:
        origins: image written -> the sample it was made of.
        crowd: whether the format is meant to hold crowd regions.

    Raises:
        DataError: naming the first thing that ``fmt`` has not kept.
    """
    try:
        again = _merged(read_dataset(directory), index)
    except DataError as e:
        place = f"{Path(e.where).name}: " if e.where else ""
        raise _lost(fmt, f"{place}{e.message}") from e
    if again.format != fmt:
        raise _lost(fmt, f"it would be taken for {again.format}")
    if again.splits.keys() != index.splits.keys():
        raise _lost(fmt, f"splits {sorted(index.splits)} become {sorted(again.splits)}")
    if again.classes != index.classes:
        raise _lost(fmt, f"classes {list(index.classes)} become {list(again.classes)}")
    for split, samples in index.splits.items():
        found = again.splits[split]
        if len(found) != len(samples):
            raise _lost(fmt, f"{len(samples)} images of {split} become {len(found)}")
        for sample in found:
            origin = origins.get(sample.path)
            change = "is no image of the set" if origin is None else _change(origin, sample, crowd)
            if change:
                raise _lost(fmt, f"{split}/{sample.path.name} {change}")


def _change(before: Sample, after: Sample, crowd: bool) -> str:
    """What became of one image's labels; empty where nothing did."""
    stated = (before.width, before.height)
    if all(stated) and stated != (after.width, after.height):
        return (
            f"is {after.width}x{after.height}, its annotation says {stated[0]}x{stated[1]}; "
            "'edgectl data check --fix' mends that"
        )
    kept = np.ones(len(before.labels), bool) if crowd else ~before.crowd
    boxes = before.boxes_xyxy[kept]
    if len(boxes) != len(after.boxes_xyxy):
        return f"has {len(boxes)} boxes, {len(after.boxes_xyxy)} of them are read back"
    if np.abs(boxes - after.boxes_xyxy).max(initial=0) > _TOLERANCE:
        return "has its boxes elsewhere"
    same = (
        np.array_equal(before.labels[kept], after.labels)
        and np.array_equal(before.crowd[kept], after.crowd)
        and before.image_label == after.image_label
    )
    return "" if same else "has other labels"


def _merged(again: DatasetIndex, index: DatasetIndex) -> DatasetIndex:
    """A split the reader made, because the set had none, goes back to *train*."""
    for name in again.made_splits.keys() - index.splits.keys():
        again.splits["train"] += again.splits.pop(name)
    return again


def _lost(fmt: str, what: str) -> DataError:
    return DataError(
        f"{fmt} cannot hold this set: {what}",
        where=f"--to {fmt}",
        fix="correct or rename what is named, or choose another format: coco holds most",
    )
