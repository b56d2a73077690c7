"""A repaired copy of a set: what cannot be used is left out, the original is never touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.data.formats.writing import find_writer, write_dataset
from edgectl.data.images.orientation import read_labelled
from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.findings import Finding
from edgectl.data.inspect.survey import ImageFacts
from edgectl.labels import Sample

_LEFT_OUT = frozenset({"unreadable_image", "wrong_size", "leakage", "near_duplicate"})


def write_repaired(
    index: DatasetIndex, facts: Sequence[ImageFacts], found: Sequence[Finding], directory: Path
) -> dict[str, Any]:
    """Writes the set without unreadable and wrongly sized images, without the later of two near
    duplicates, without boxes that lie on one another, with boxes clipped and turned upright.

    In the set's own format where edgectl writes it. Returns ``images`` and ``left_out``.
    """
    bad = {f.file for f in found if f.kind in _LEFT_OUT}
    bad |= {str(f.path) for f in facts if f.problem}
    splits = {
        name: tuple(_mended(s) for s in samples if str(s.path) not in bad)
        for name, samples in index.splits.items()
    }
    splits = {name: samples for name, samples in splits.items() if samples}
    before = sum(len(v) for v in index.splits.values())
    after = sum(len(v) for v in splits.values())
    fmt = index.format if find_writer(index.format) else "coco-2017"
    write_dataset(replace(index, splits=splits), directory, fmt)
    return {"images": after, "left_out": before - after, "format": fmt}


def _mended(sample: Sample) -> Sample:
    """Labels upright, each box once."""
    if sample.image_label is not None:
        return sample
    _, upright = read_labelled(sample)
    kept = np.ones(len(upright.boxes_xyxy), bool)
    rounded = np.round(upright.boxes_xyxy / 2.0)
    seen: set[tuple[float, ...]] = set()
    for i, (box, label) in enumerate(zip(rounded.tolist(), upright.labels.tolist(), strict=True)):
        key = (*box, label)
        kept[i] = key not in seen
        seen.add(key)
    return replace(
        upright,
        boxes_xyxy=upright.boxes_xyxy[kept],
        labels=upright.labels[kept],
        crowd=upright.crowd[kept],
        areas=None if upright.areas is None else upright.areas[kept],
    )
