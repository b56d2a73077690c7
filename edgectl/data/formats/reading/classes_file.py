"""``classes.txt``, a class a line, for formats that otherwise know only the classes that occur."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgectl.errors import DataError

CLASSES_FILE = "classes.txt"


def read_classes(directory: Path, occurring: set[str]) -> tuple[str, ...]:
    """In the file's order where ``directory`` has one, else those that occur, by the alphabet.

    Raises:
        DataError: a file that is not UTF-8, names a class twice, or lacks one that occurs.
    """
    file = directory / CLASSES_FILE
    if not file.is_file():
        return tuple(sorted(occurring))
    fix = f"correct it; without {CLASSES_FILE} classes go by the alphabet"
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"cannot be read: {e}", where=str(file), fix=fix) from e
    classes = tuple(line.strip() for line in lines if line.strip())
    if len(set(classes)) < len(classes):
        raise DataError(f"a class twice: {list(classes)}", where=str(file), fix=fix)
    unknown = sorted(occurring - set(classes))
    if unknown:
        raise DataError(f"the class {unknown[0]!r} is not in it", where=str(file), fix=fix)
    return classes


def write_classes(classes: Sequence[str], occurring: set[str], directory: Path) -> None:
    """Writes the file where the classes that occur do not say the same."""
    if list(classes) != sorted(occurring):
        text = "".join(f"{name}\n" for name in classes)
        (directory / CLASSES_FILE).write_text(text, encoding="utf-8")
