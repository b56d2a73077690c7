"""Whether a pack's file is whole, looked at before it is mapped into memory.

LMDB trusts what its file says of itself: where the file is shorter, reading the missing part ends the process
with SIGBUS. A copy that was cut short is such a file.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

from edgectl.errors import DataError

DATA = "data.mdb"
STATED = "pack.json"
_MAGIC = 0xBEEFC0DE
_META = struct.Struct("<16x II 8x 8x I 44x 48x QQ")
"""lmdb.h and mdb.c 0.9: page header, magic, version, address, map size, two trees (the first begins with the
page size), last page, transaction. 64-bit, little-endian."""
_HASHED = 256 << 20
"""Packs up to this are compared with their digest whenever they are opened; that takes a second at most."""
_FIX = "copy it again, or pack the set again: edgectl data pack"


def state(pack: Path) -> None:
    """Writes ``pack.json``: bytes and sha256 of the pack's file. Raises OSError."""
    file = pack / DATA
    document = {"bytes": file.stat().st_size, "sha256": _digest(file)}
    (pack / STATED).write_text(json.dumps(document) + "\n", encoding="ascii")


def require_whole(pack: Path) -> None:
    """Raises DataError for a pack that is shorter than it says, or not what was written.

    Packs of versions that stated neither are held to what LMDB itself says.
    """
    file = pack / DATA
    try:
        size = file.stat().st_size
        with file.open("rb") as f:
            head = f.read(1 << 16)
        stated = json.loads((pack / STATED).read_text("ascii")) if _states(pack) else {}
        wanted = max(int(stated.get("bytes", 0)), _bytes_by_its_own_word(head))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as e:
        raise DataError(f"not a pack that can be read: {e}", where=str(pack), fix=_FIX) from e
    if size < wanted:
        raise DataError(f"cut short: {size:,} bytes of {wanted:,}", where=str(file), fix=_FIX)
    if "sha256" in stated and size <= _HASHED and _digest(file) != stated["sha256"]:
        raise DataError("altered: its sha256 is not the stated one", where=str(file), fix=_FIX)


def _states(pack: Path) -> bool:
    return (pack / STATED).is_file()


def _bytes_by_its_own_word(head: bytes) -> int:
    """Raises ValueError where it is no LMDB file."""
    magic, _, page, *first = _unpack(head, 0)
    if magic != _MAGIC or page not in {1 << n for n in range(9, 17)}:
        raise ValueError("no LMDB file")
    magic, _, same, *second = _unpack(head, page)
    if magic != _MAGIC or same != page:
        raise ValueError("its second meta page is damaged")
    last, _ = max(first, second, key=lambda m: m[1])
    return int(last + 1) * int(page)


def _unpack(head: bytes, offset: int) -> tuple[int, ...]:
    if len(head) < offset + _META.size:
        raise ValueError("shorter than its meta pages")
    return _META.unpack_from(head, offset)


def _digest(file: Path) -> str:
    with file.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
