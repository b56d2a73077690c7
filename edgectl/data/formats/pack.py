"""Reads a pack (:mod:`edgectl.data.storage`): its entry ``index.json`` holds classes and labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.data.formats.naming import stays_inside
from edgectl.data.index import DatasetIndex, Sample
from edgectl.data.storage import SUFFIX, read_entry
from edgectl.errors import DataError

INDEX = "index.json"
SCHEMA = "edgectl-pack/1"
_FIX = "pack the set again: edgectl data pack"


def is_pack(path: Path) -> bool:
    """Looks at names only."""
    return path.suffix == SUFFIX and (path / "data.mdb").is_file()


def read_pack(path: Path) -> DatasetIndex:
    """Labels now, pictures when they are used. Raises DataError."""
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
