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
from functools import cache
from pathlib import Path
from uuid import uuid4

_ASIDE = re.compile(
    r"\.(?P<name>.+)\.edgectl-(?P<pid>\d+)-(?P<start>\d+)-(?P<what>[0-9a-f]{12}|old)"
)


def name_aside(target: Path, what: str = "") -> Path:
    """A path beside ``target`` to write it to. ``old``: where the one it replaces goes for a moment."""
    pid = os.getpid()
    return (
        target.parent / f".{target.name}.edgectl-{pid}-{_started(pid)}-{what or uuid4().hex[:12]}"
    )


def find_leftovers(directory: Path) -> Iterator[Path]:
    """Paths in it that processes which are gone have left."""
    try:
        entries = list(directory.iterdir())
    except OSError:
        return
    for path in entries:
        match = _ASIDE.fullmatch(path.name)
        if match is not None and not _is_alive(int(match["pid"]), int(match["start"])):
            yield path


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


def remove(path: Path) -> None:
    """Deletes a leftover, or gives it its name back where that is free and it was there before."""
    match = _ASIDE.fullmatch(path.name)
    if match is not None and match["what"] == "old" and not path.with_name(match["name"]).exists():
        path.rename(path.with_name(match["name"]))
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_alive(pid: int, start: int) -> bool:
    if os.name == "nt":  # where a signal of zero is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return _started(pid) == start


def _started(pid: int) -> int:
    """Ticks from the start of the system to the start of the process; 0 where the system does not tell."""
    return _own_start() if pid == os.getpid() else _read_start(pid)


@cache
def _own_start() -> int:
    return _read_start(os.getpid())


def _read_start(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        # field 22; the name before it, in brackets, may hold anything (proc(5))
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
