"""Writes a folder a class, under a folder a split."""

from __future__ import annotations

from pathlib import Path

from edgectl.data.index import DatasetIndex
from edgectl.data.staging import PictureCopies


def write_folder(index: DatasetIndex, directory: Path, copies: PictureCopies) -> None:
    """``<split>/<class>/*``; classes without pictures in a split get no folder there."""
    for split, samples in index.splits.items():
        for sample in samples:
            assert sample.image_label is not None
            copies.add(sample, directory / split / index.classes[sample.image_label])
