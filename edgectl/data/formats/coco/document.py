"""A COCO file's own tables: read, and checked for what everything else stands on."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from edgectl.data.formats.reading.json_files import FIX, load_json
from edgectl.errors import DataError

_SHOWN = 60


def load_coco(path: Path) -> dict[str, Any]:
    """Raises DataError: not JSON, or not the three lists of COCO."""
    document = load_json(path)
    if not isinstance(document, dict):
        document = {}
    for key in ("images", "annotations", "categories"):
        rows = document.get(key)
        if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
            raise DataError(f"not COCO: no list '{key}'", where=str(path), fix=FIX)
    return document


def plain_id(value: Any) -> int | float | str:
    """Ids are numbers, from some tools strings; anything else becomes a string matching none."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return value
    text = str(value)
    # "7" is 7; "007" may be another one
    return int(text) if text.isdecimal() and len(text) < 19 and str(int(text)) == text else text


def read_classes(documents: list[tuple[Path, str, dict[str, Any]]]) -> tuple[str, ...]:
    """Class names in the order of their ids. A dummy that heads the others, as Roboflow's, is dropped.

    Args:
        documents: (file, split, document).

    Raises:
        DataError: categories without id or name, the same one twice, none, or other ones in
            another split.
    """
    used = {plain_id(a.get("category_id")) for _, _, d in documents for a in d["annotations"]}
    names: list[tuple[str, ...]] = []
    for path, _, document in documents:
        rows = _rows(document, path)
        rows = [r for r in rows if not _is_dummy(r, rows, used)]
        rows.sort(key=lambda r: (isinstance(r[0], str), r[0]))
        own = tuple(name for _, name, _ in rows)
        for what, found in (("name", own), ("id", tuple(i for i, _, _ in rows))):
            if len(set(found)) < len(found):
                twice = Counter(found).most_common(1)[0][0]
                raise DataError(
                    f"a category is there twice: {what} {_short(twice)!r}",
                    where=str(path),
                    fix="rename or merge them",
                )
        names.append(own)
    for (path, split, _), own in zip(documents, names, strict=True):
        if own != names[0]:
            raise DataError(
                f"categories in '{split}': {_listed(own)}, in '{documents[0][1]}': {_listed(names[0])}",
                where=str(path),
                fix="give every split the same categories with the same ids",
            )
    if not names[0]:
        raise DataError("no categories", where=str(documents[0][0]), fix=FIX)
    return names[0]


def _rows(document: dict[str, Any], path: Path) -> list[tuple[int | float | str, str, Any]]:
    try:
        rows = [
            (plain_id(c["id"]), str(c["name"]), c.get("supercategory"))
            for c in document["categories"]
        ]
    except (KeyError, TypeError) as e:
        raise DataError("a category lacks id or name", where=str(path), fix=FIX) from e
    if any(isinstance(i, float) and not math.isfinite(i) for i, _, _ in rows):
        raise DataError("a category lacks id or name", where=str(path), fix=FIX)
    return rows


def _is_dummy(row: tuple[Any, str, Any], rows: list[tuple[Any, str, Any]], used: set[Any]) -> bool:
    """Category 0 that only groups the others: unused, and their supercategory or namesake."""
    number, name, above = row
    if number != 0 or above != "none" or 0 in used:
        return False
    return any(r is not row and (r[2] == name or r[1] == name) for r in rows)


def label_of_ids(document: dict[str, Any], classes: tuple[str, ...]) -> dict[Any, int]:
    """Category id -> label."""
    label = {name: i for i, name in enumerate(classes)}
    # a dummy that shares a class's name gets its label too: nothing refers to it
    return {
        plain_id(c["id"]): label[str(c["name"])]
        for c in document["categories"]
        if str(c["name"]) in label
    }


def _short(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= _SHOWN else value[:_SHOWN] + "..."


def _listed(names: tuple[str, ...]) -> str:
    shown = [str(_short(n)) for n in names[:20]]
    return f"{shown}" + (f" and {len(names) - 20} more" if names[20:] else "")
