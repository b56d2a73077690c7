"""Files that are either the old version or the new one, never half of either."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from edgectl.errors import EdgectlError


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """A temporary file in ``path``'s directory that takes its place when the block ends well.

    The data is on the disk (fsync) before the name changes, so a crash leaves a whole file.

    Raises:
        EdgectlError: the directory is not writable or the disk is full; ``path`` is as it was.
    """
    # named before it is made: an interruption in between finds it
    tmp = path.with_name(f".{path.name}-{uuid4().hex[:12]}.tmp")
    try:
        with tmp.open("xb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        tmp.replace(path)
    except OSError as e:
        raise EdgectlError(
            f"cannot write: {e.strerror or e}",
            where=str(path),
            fix="free disk space or choose a writable directory",
        ) from e
    finally:
        with contextlib.suppress(OSError):
            tmp.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """UTF-8, atomically. Raises EdgectlError when it cannot be written."""
    with replacing_file(path) as f:
        f.write(text.encode("utf-8"))


def write_json(path: Path, document: Any) -> None:
    """Indented JSON, atomically. Raises EdgectlError when it cannot be written."""
    write_text(path, json.dumps(document, indent=1) + "\n")
