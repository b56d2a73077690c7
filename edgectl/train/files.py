"""Files that are either the old version or the new one, never half of either."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from edgectl.errors import EdgectlError


@contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """A temporary file in ``path``'s directory that takes its place when the block ends well.

    The data is on the disk (fsync) before the name changes, so a crash leaves a whole file.

    Raises:
        EdgectlError: the directory is not writable or the disk is full; ``path`` is as it was.
    """
    tmp: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}-", suffix=".tmp", delete=False
        ) as f:
            tmp = Path(f.name)
            yield f  # type: ignore[misc]
            f.flush()
            os.fsync(f.fileno())
        # mkstemp's file is private to the user; results are ordinary files
        tmp.chmod(0o666 & ~UMASK)
        tmp.replace(path)
    except OSError as e:
        raise EdgectlError(
            f"cannot write: {e.strerror or e}",
            where=str(path),
            fix="free disk space or choose a writable directory",
        ) from e
    finally:
        if tmp is not None:
            tmp.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """UTF-8, atomically. Raises EdgectlError when it cannot be written."""
    with replacing_file(path) as f:
        f.write(text.encode("utf-8"))


def write_json(path: Path, document: Any) -> None:
    """Indented JSON, atomically. Raises EdgectlError when it cannot be written."""
    write_text(path, json.dumps(document, indent=1) + "\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Read once: setting and restoring it is not safe while other threads create files.
UMASK = _umask()
