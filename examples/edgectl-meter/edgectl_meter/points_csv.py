"""``<split>/points.csv``: a line an image, ``filename``, ``reading`` and ``NAME_x``, ``NAME_y`` a key point.

Coordinates are pixels of the image, the origin at its upper left corner. The reading is a share of the scale.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from edgectl.data.formats import Format
from edgectl.data.formats.reading.naming import image_at
from edgectl.data.formats.tolerance import refuse
from edgectl.data.images.preprocess import decode
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample
from edgectl_meter.plugin import FORMAT as NAME
from edgectl_meter.points import DialSample, mark_points

FILE = "points.csv"
_FIX = "correct the line, or remove it"


def read_points(root: Path) -> DatasetIndex:
    """Every split with a table; the classes are the key points, in the order of the first table's columns.

    Raises:
        DataError: columns that are missing or differ between splits, numbers that are none, absent images.
    """
    repairs: list[Repair] = []
    splits: dict[str, tuple[Sample, ...]] = {}
    names: tuple[str, ...] = ()
    for table in _tables(root):
        with table.open(encoding="utf-8", newline="") as f:
            reader = csv.DictReader(f)
            found = _points_of(reader.fieldnames or (), table)
            if names and found != names:
                raise DataError(
                    f"has the key points {', '.join(found)}; another split has {', '.join(names)}",
                    where=str(table),
                    fix="give all splits the same columns",
                )
            names = found
            samples = [_sample(row, names, table, root, repairs) for row in reader]
        splits[table.parent.name] = tuple(s for s in samples if s is not None)
    return DatasetIndex(root.name, root, NAME, names, splits, repairs)


def _tables(root: Path) -> list[Path]:
    return sorted(root.glob(f"*/{FILE}")) if root.is_dir() else []


def _points_of(columns: object, table: Path) -> tuple[str, ...]:
    assert isinstance(columns, list | tuple)
    names = tuple(c.removesuffix("_x") for c in columns if c.endswith("_x"))
    wanted = {"filename", "reading", *(f"{n}_{axis}" for n in names for axis in "xy")}
    missing = sorted(wanted - set(columns))
    if not names or missing:
        raise DataError(
            f"no column {missing[0]}" if missing else "no key points",
            where=str(table),
            fix="columns: filename, reading, then NAME_x and NAME_y for each key point",
        )
    return names


def _sample(
    row: dict[str, str], names: tuple[str, ...], table: Path, root: Path, repairs: list[Repair]
) -> DialSample | None:
    file = row["filename"]
    try:
        points = np.array([[float(row[f"{n}_{a}"]) for a in "xy"] for n in names])
        reading = float(row["reading"])
    except (TypeError, ValueError):
        refuse(_wrong(table, f"{file}: not a number"), repairs, "broken_annotation", file)
        return None
    path = image_at(file, [table.parent], root, str(table))
    if path is None:
        refuse(_wrong(table, f"{file} is not there"), repairs, "missing_image", file)
        return None
    height, width = decode(path).shape[:2]
    inside = (points >= 0) & (points <= (width, height))
    if not (inside.all() and math.isfinite(reading) and 0 <= reading <= 1):
        refuse(
            _wrong(table, f"{file}: a point beside the image, or a reading beyond 0 to 1"),
            repairs,
            "broken_annotation",
            file,
        )
        return None
    return DialSample(
        path=path,
        width=width,
        height=height,
        boxes_xyxy=mark_points(points),
        labels=np.arange(len(names)),
        crowd=np.zeros(len(names), bool),
        reading=reading,
    )


def _wrong(table: Path, message: str) -> DataError:
    return DataError(message, where=str(table), fix=_FIX)


FORMAT = Format(
    NAME,
    "<split>/points.csv beside the images: filename, reading, NAME_x, NAME_y",
    lambda path: bool(_tables(path)),
    read_points,
)
