"""Reads a pack (:mod:`edgectl.data.images.storage`): its entry ``index.json`` holds classes and labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from edgectl.data.formats.reading.naming import stays_inside
from edgectl.data.images import pack_file
from edgectl.data.images.storage import SUFFIX, read_bytes, read_entry, size_of
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError
from edgectl.files import staged, unwritable
from edgectl.labels import Sample

INDEX = "index.json"
SCHEMA = "edgectl-pack/1"
_FIX = "pack the set again: edgectl data pack"
_BLOCK = 64
_PAGE = 4096
_ROOM = 64 << 20
"""Map size beyond images and labels."""


def is_pack(path: Path) -> bool:
    """Looks at names only."""
    return path.suffix == SUFFIX and (path / "data.mdb").is_file()


def read_pack(path: Path) -> DatasetIndex:
    """Labels now, images when they are used. Raises DataError."""
    data = read_entry(path, INDEX)
    try:
        document = json.loads(data or b"")
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']}")
        splits = {
            name: tuple(_sample(path, row) for row in rows)
            for name, rows in document["splits"].items()
        }
        return DatasetIndex(
            path.stem,
            path,
            "lmdb",
            tuple(document["classes"]),
            splits,
            made_splits=dict(document["made_splits"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise DataError(f"no readable index in the pack: {e}", where=str(path), fix=_FIX) from e


def _sample(pack: Path, row: dict[str, Any]) -> Sample:
    areas = row["areas"]
    key = str(row["key"])
    if not stays_inside(key, pack, pack):
        raise ValueError(f"'{key}' leaves the pack")
    return Sample(
        pack / key,
        int(row["width"]),
        int(row["height"]),
        np.array(row["boxes"], np.float32).reshape(-1, 4),
        np.array(row["labels"], np.int64),
        np.array(row["crowd"], bool),
        None if areas is None else np.array(areas, np.float32),
        row["image_label"],
    )


@dataclass(frozen=True)
class Packed:
    """``images`` and ``bytes`` of the pack."""

    images: int
    bytes: int


def write_pack(
    index: DatasetIndex,
    target: Path,
    *,
    workers: int = 4,
    seen: Callable[[], None] = lambda: None,
) -> Packed:
    """Writes ``target``, whose name ends in ``.lmdb``; it appears when it is complete.

    Memory holds one block of images at a time, however large the set.

    Raises:
        DataError: the name, or an image that cannot be read.
        EdgectlError: the disk is full, or the pack cannot be written.
    """
    if target.suffix != SUFFIX:
        raise DataError(
            f"a pack's name ends in {SUFFIX}", where=str(target), fix=f"{target}{SUFFIX}"
        )
    keys = {split: _keys(split, samples) for split, samples in index.splits.items()}
    rows = [
        (k, s) for split, v in index.splits.items() for k, s in zip(keys[split], v, strict=True)
    ]
    labels = json.dumps(_document(index, keys)).encode()
    with staged(target) as place:
        try:
            _fill(place, rows, labels, workers, seen)
        except lmdb.Error as e:
            raise unwritable(target, str(e)) from e
        (place / "lock.mdb").unlink(missing_ok=True)
        pack_file.state(place)
    return Packed(len(rows), (target / "data.mdb").stat().st_size)


def _fill(
    place: Path,
    rows: Sequence[tuple[str, Sample]],
    labels: bytes,
    workers: int,
    seen: Callable[[], None],
) -> None:
    # a value takes whole pages, and a place in the tree
    size = sum((size_of(s.path) // _PAGE + 2) * _PAGE for _, s in rows) + len(labels) + _ROOM
    environment = lmdb.open(str(place), map_size=size, lock=False)
    with environment, ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(rows), _BLOCK):
            block = rows[first : first + _BLOCK]
            contents = pool.map(lambda item: _contents(item[1]), block)
            with environment.begin(write=True) as transaction:
                for (key, _), data in zip(block, contents, strict=True):
                    transaction.put(key.encode(), data)
                    seen()
        with environment.begin(write=True) as transaction:
            transaction.put(INDEX.encode(), labels)


def _contents(sample: Sample) -> bytes:
    try:
        return read_bytes(sample.path)
    except OSError as e:
        raise DataError(f"cannot be read: {e.strerror}", where=str(sample.path)) from e


def _keys(split: str, samples: Sequence[Sample]) -> list[str]:
    """``train/a.jpg``; a second image of that name gets a number."""
    taken: set[str] = set()
    keys = []
    for sample in samples:
        key, number = f"{split}/{sample.path.name}", 1
        while key in taken:
            number += 1
            key = f"{split}/{sample.path.stem}_{number}{sample.path.suffix}"
        taken.add(key)
        keys.append(key)
    return keys


def _document(index: DatasetIndex, keys: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": index.name,
        "classes": list(index.classes),
        "made_splits": index.made_splits,
        "splits": {
            split: [_row(k, s) for k, s in zip(keys[split], samples, strict=True)]
            for split, samples in index.splits.items()
        },
    }


def _row(key: str, sample: Sample) -> dict[str, Any]:
    return {
        "key": key,
        "width": sample.width,
        "height": sample.height,
        "boxes": sample.boxes_xyxy.tolist(),
        "labels": sample.labels.tolist(),
        "crowd": sample.crowd.tolist(),
        "areas": None if sample.areas is None else sample.areas.tolist(),
        "image_label": sample.image_label,
    }
