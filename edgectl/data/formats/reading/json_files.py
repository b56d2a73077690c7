"""JSON label files: read once, told apart by their keys, with one error for what is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from edgectl.data.formats.reading.walking import files_in, folders_in
from edgectl.errors import DataError

FIX = "export the annotations again, or correct the file"
_KEPT = 16
_CACHE: ContextVar[dict[Path, Any] | None] = ContextVar("json_cache", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Within it, a file that was looked at is not parsed again to be read."""
    token = _CACHE.set({})
    try:
        yield
    finally:
        _CACHE.reset(token)


def load_json(path: Path) -> Any:
    """Raises DataError: not JSON, with the line; not UTF-8; numbers without end."""
    cache = _CACHE.get()
    if cache is not None and path in cache:
        return cache[path]
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError as e:
        raise DataError(f"not JSON: {e.msg}", where=f"{path}:{e.lineno}", fix=FIX) from e
    except (OSError, ValueError, RecursionError) as e:  # ValueError: no UTF-8, endless numbers
        raise DataError(f"cannot be read: {e}", where=str(path), fix=FIX) from e
    if cache is not None:
        if len(cache) >= _KEPT:
            cache.pop(next(iter(cache)))
        cache[path] = document
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two entries with one key the first would be lost. Raises ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"the key '{twice[:80]}' is there twice")
    return found


def look_into(path: Path) -> Any:
    """The document, or None where it is no JSON: for telling formats apart."""
    try:
        return load_json(path)
    except DataError:
        return None


def damaged_json(path: Path) -> DataError | None:
    """The error of a JSON file that lies where label files do, and is none."""
    places = (path, *folders_in(path)) if path.is_dir() else ()
    files = [f for p in places for f in files_in(p, ".json")[:_KEPT]] or [path]
    for file in files[:_KEPT]:
        if file.suffix.lower() == ".json":
            try:
                load_json(file)
            except DataError as e:
                return e
    return None


def is_coco(document: Any) -> bool:
    """Whether the keys are those of COCO."""
    keys = {"images", "annotations", "categories"}
    return isinstance(document, dict) and keys <= document.keys()
