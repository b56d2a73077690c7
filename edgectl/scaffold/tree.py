"""New text files, all of them or none."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from edgectl.errors import EdgectlError


def write_tree(directory: Path, texts: Mapping[Path, str]) -> None:
    """Writes files that are not there yet (UTF-8), and the directories they need.

    Args:
        texts: by path below ``directory``.

    Raises:
        EdgectlError: one cannot be written. Like an interruption, this leaves what was there before.
    """
    made: list[Path] = []
    try:
        for name, text in texts.items():
            path = directory / name
            for parent in [p for p in reversed(path.parents) if not p.exists()]:
                parent.mkdir()
                made.append(parent)
            with path.open("x", encoding="utf-8") as f:
                made.append(path)
                f.write(text)
    except BaseException as e:
        for path in reversed(made):
            # a directory something has been put into meanwhile stays
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if not isinstance(e, OSError):
            raise
        raise EdgectlError(
            f"cannot write: {e.strerror}",
            where=e.filename or str(directory),
            fix="free disk space, or choose a directory you may write to",
        ) from e
