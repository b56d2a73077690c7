"""Where an image's bytes lie: in a file of its own, or in a pack.

A pack is an LMDB directory, ``<name>.lmdb``. Its images have paths inside it, ``<name>.lmdb/train/a.jpg``;
everything that reads images goes through here and need not know the difference. Reading is by
memory map: no file is opened an image, and the operating system keeps in memory what fits.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any

import lmdb

from edgectl.data.images.pack_file import require_whole
from edgectl.errors import DataError

SUFFIX = ".lmdb"
_FIX = "pack the set again: edgectl data pack"

_OPEN: dict[tuple[Path, int], Any] = {}
_LOCK = threading.Lock()


def pack_of(path: Path) -> Path | None:
    """The pack an image lies in."""
    return next((p for p in path.parents if p.suffix == SUFFIX), None)


def read_bytes(path: Path) -> bytes:
    """An image file's contents.

    Raises OSError for an absent file, as ``Path.read_bytes``.
    """
    pack = pack_of(path)
    if pack is None or not (pack / "data.mdb").is_file():
        return path.read_bytes()
    value = read_entry(pack, path.relative_to(pack).as_posix())
    if value is None:
        raise FileNotFoundError(2, "not in the pack", str(path))
    return value


def size_of(path: Path) -> int:
    """Bytes of an image file."""
    pack = pack_of(path)
    if pack is None or not (pack / "data.mdb").is_file():
        return path.stat().st_size
    return len(read_bytes(path))


def version_of(path: Path) -> str:
    """Changes when an image's contents do: size and time of the file, or pack, that holds it."""
    pack = pack_of(path)
    file = path if pack is None or not (pack / "data.mdb").is_file() else pack / "data.mdb"
    found = file.stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def read_entry(pack: Path, key: str) -> bytes | None:
    """Raises DataError for a pack that cannot be read."""
    try:
        with _environment(pack).begin() as transaction:
            value: bytes | None = transaction.get(key.encode())
            return value
    except lmdb.Error as e:
        raise DataError(f"not a pack that can be read: {e}", where=str(pack), fix=_FIX) from e


def _environment(pack: Path) -> Any:
    """One a process and pack: LMDB must not be opened twice, nor used across a fork. Raises DataError."""
    key = (pack.resolve(), os.getpid())
    with _LOCK:
        if key not in _OPEN:
            require_whole(pack)
            _OPEN[key] = lmdb.open(
                str(pack), readonly=True, lock=False, readahead=False, max_readers=512
            )
        return _OPEN[key]


def close(pack: Path) -> None:
    """Forgets an open pack, before it is moved or removed."""
    with _LOCK, contextlib.suppress(KeyError):
        _OPEN.pop((pack.resolve(), os.getpid())).close()
