"""What lies on the disk where a command is killed at a file operation, or finds the disk full there.

A command is run in a fork, so that what it imports is imported once. Python's audit hook says when it is
about to open a file to write, to make, move or remove something. A copy of the project at that moment is what
a kill would leave there: one run gives every point. What a full disk does is the command's own doing: it is
run once a point.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl import leftovers

Command = Callable[[], int]
"""Runs a command in the working directory, ``--json`` on its standard output; returns its exit code."""
_CHANGING = frozenset(
    {
        "os.rename",
        "os.mkdir",
        "os.remove",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "shutil.rmtree",
    }
)
_GROWING = frozenset({"os.rename", "os.mkdir", "os.link", "os.symlink"})
"""Those that need room on the disk."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, document, what else it printed, how many points it passed."""

    code: int
    document: dict[str, Any] | None
    text: str
    points: int


def copy_at_every_point(command: Command, project: Path, places: Path) -> Ended:
    """Runs it in ``project``; ``places/N`` is a copy of the project as it was before operation N."""
    places.mkdir()
    guard, busy = threading.Lock(), threading.local()

    def watch(event: str, args: tuple[Any, ...], number: list[int]) -> None:
        if getattr(busy, "copying", False) or not _changes(event, args, project):
            return
        with guard:
            busy.copying = True
            try:
                number[0] += 1
                shutil.copytree(project, places / f"{number[0]:04d}", symlinks=True)
            finally:
                busy.copying = False

    return run_apart(command, project, watch)


def run_with_full_disk(command: Command, project: Path, point: int) -> Ended:
    """Runs it in ``project``; from the operation of that number on there is no room on the disk."""

    def watch(event: str, args: tuple[Any, ...], number: list[int]) -> None:
        if _changes(event, args, project, growing=True):
            number[0] += 1
            if number[0] >= point:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(args[0]))

    return run_apart(command, project, watch)


def run_apart(
    command: Command,
    project: Path,
    watch: Callable[[str, tuple[Any, ...], list[int]], None] | None = None,
) -> Ended:
    """Runs it in a fork, in ``project``, whose ``cache`` and ``config`` are its own."""
    said = project.with_name(f"{project.name}.said")
    child = os.fork()
    if not child:
        _become(command, project, said, watch)
    _, status = os.waitpid(child, 0)
    out, err, points = (said.with_suffix(s) for s in (".out", ".err", ".points"))
    count = int(points.read_text()) if points.exists() else 0
    points.unlink(missing_ok=True)
    try:
        document = json.loads(out.read_text("utf-8", "replace"))
    except ValueError:
        document = None
    return Ended(
        os.waitstatus_to_exitcode(status), document, err.read_text("utf-8", "replace"), count
    )


def _become(
    command: Command,
    project: Path,
    said: Path,
    watch: Callable[[str, tuple[Any, ...], list[int]], None] | None,
) -> None:
    """The fork: it never returns."""
    code = 99
    try:
        sys.stdout = said.with_suffix(".out").open("w", encoding="utf-8")
        sys.stderr = said.with_suffix(".err").open("w", encoding="utf-8")
        os.chdir(project)
        os.environ["EDGECTL_CACHE"] = str(project / "cache")
        os.environ["XDG_CONFIG_HOME"] = str(project / "config")
        leftovers.forget()
        number = [0]
        if watch is not None:
            sys.addaudithook(lambda event, args: watch(event, args, number))
        code = command()
        sys.stdout.flush()
        sys.stderr.flush()
        said.with_suffix(".points").write_text(str(number[0]))
    finally:
        os._exit(code)


def _changes(event: str, args: tuple[Any, ...], project: Path, *, growing: bool = False) -> bool:
    """Whether something below the project is about to change, or to be synchronized."""
    if event == "open":
        path, mode, flags = args
        writes = bool(flags & _WRITES) if mode is None else bool(set(mode) & set("wax+"))
        if not writes and (growing or mode is not None):
            return False
    elif event in (_GROWING if growing else _CHANGING):
        path = args[0]
    else:
        return False
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return Path(os.fsdecode(path)).absolute().is_relative_to(project)


def contents(path: Path) -> dict[str, bytes] | None:
    """Name -> bytes below a directory, or of a file; None where there is nothing."""
    if path.is_file():
        return {"": path.read_bytes()}
    if not path.exists():
        return None
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def list_leftovers(project: Path) -> list[str]:
    """What edgectl wrote aside and is still there, of the dead and the living."""
    return sorted(
        p.relative_to(project).as_posix() for p in project.rglob(".*") if ".edgectl-" in p.name
    )
