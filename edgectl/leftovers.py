"""What dead processes left lying: recognized by its name, removed by the next command that writes there.

A name aside is ``.NAME.edgectl-PID-START-HEX``: the process that writes it, when that process began in the
kernel's ticks, and something random. A process of that number and beginning is alive, or what it wrote is
garbage. So two commands that write side by side leave each other alone, and a number used again deceives
nobody.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from edgectl.locks import SUFFIX, read_holder, remove_abandoned
from edgectl.owners import is_alive, own_start

_ASIDE = re.compile(
    r"\.(?P<name>.+)\.edgectl-(?P<pid>\d+)-(?P<start>\d+)-(?P<what>[0-9a-f]{12}|old)"
)


def name_aside(target: Path, what: str = "") -> Path:
    """A path beside ``target`` to write it to. ``old``: where the one it replaces goes for a moment."""
    owner = f"{os.getpid()}-{own_start()}"
    return target.parent / f".{target.name}.edgectl-{owner}-{what or uuid4().hex[:12]}"


def find_leftovers(directory: Path) -> Iterator[Path]:
    """Paths in it that processes which are gone have left."""
    try:
        entries = list(directory.iterdir())
    except OSError:
        return
    for path in entries:
        match = _ASIDE.fullmatch(path.name)
        if match is not None and not is_alive(int(match["pid"]), int(match["start"])):
            yield path
        elif path.name.startswith(".") and path.name.endswith(SUFFIX):
            holder = read_holder(path)
            if holder is None or holder.is_gone:
                yield path


def find_all(root: Path) -> Iterator[Path]:
    """The same in it and every directory below; links are not followed."""
    for folder, names, _ in os.walk(root):
        found = list(find_leftovers(Path(folder)))
        yield from found
        gone = {p.name for p in found}
        names[:] = [n for n in names if n not in gone]


_swept: set[Path] = set()


def sweep(directory: Path) -> None:
    """Removes leftovers in it, and brings back what was moved aside for a successor that never came.

    A process looks once into each directory: there may be many files in it, and it may write many.
    """
    if directory in _swept:
        return
    _swept.add(directory)
    for path in find_leftovers(directory):
        remove(path)


def forget() -> None:
    """For a fork, which is a process of its own: it looks again."""
    _swept.clear()


def remove(path: Path) -> None:
    """Deletes a leftover, or gives it its name back where that is free and it was there before."""
    match = _ASIDE.fullmatch(path.name)
    if match is not None and match["what"] == "old" and not path.with_name(match["name"]).exists():
        path.rename(path.with_name(match["name"]))
    elif match is None:
        remove_abandoned(path)
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
