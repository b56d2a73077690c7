"""Names of images in label files become paths here, and nowhere else.

A label file comes from outside: a name that leaves the set would copy or pack whatever it points at.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from edgectl.errors import DataError

_SHOWN = 80


def image_at(name: str, folders: Sequence[Path], root: Path, where: str) -> Path | None:
    """``name`` in the first of ``folders`` that has it, None where none has.

    Symbolic links are followed like directories: a set may keep its images on another disk.

    Args:
        root: directory of the set; names stay in it, or in the folder they are looked for in.
        where: the label file, for errors.

    Raises:
        DataError: a name that leaves the set, or that no file can have.
    """
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
    for folder in folders:
        if not stays_inside(name, folder, root):
            raise DataError(
                f"'{shown}' leaves the data set",
                where=where,
                fix=f"move the image into {folder} and name it relative to that",
            )
        path = folder / name
        try:
            if path.is_file():
                return path
        except OSError as e:
            raise DataError(
                f"'{shown}' cannot be looked for: {e.strerror}",
                where=where,
                fix="correct the name, or remove its entries",
            ) from e
    return None


def stays_inside(name: str, folder: Path, root: Path) -> bool:
    """Whether ``folder / name`` lies in either directory, by its words: symbolic links are not resolved."""
    words = Path(name)
    if not words.anchor and ".." not in words.parts:
        return True
    path, *places = (Path(os.path.normpath(p.absolute())) for p in (folder / name, folder, root))
    return any(map(path.is_relative_to, places))
