"""Directories that appear complete or not at all, and never in place of anything but their like.

``--out`` may name any directory of the user's, also the very artifact a command reads. So each directory made
here holds a list of what was put into it; one with anything else in it, or of another kind, stays.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

from edgectl.data.staging import directory_beside
from edgectl.errors import EdgectlError, UsageError
from edgectl.export.artifact import MANIFEST, SCHEMA

Kind = Literal["artifact", "bundle"]
_MARK = ".edgectl"


def require_replaceable(target: Path, kind: Kind) -> None:
    """Raises UsageError where :func:`replacing` would: to be asked before long work."""
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError("is a file", where=str(target), fix="choose another --out")
    there = _files(target)
    made = _made(target, kind) if there else set()
    if made is None:
        raise UsageError(
            f"is there already, and is no {kind} that edgectl made",
            where=str(target),
            fix="choose another --out, or move it away",
        )
    foreign = sorted(there - made - {_MARK})
    if foreign:
        raise UsageError(
            f"holds what edgectl did not put there: {foreign[0]}"
            + (f" and {len(foreign) - 1} more" if foreign[1:] else ""),
            where=str(target),
            fix="move that away, or choose another --out",
        )


@contextmanager
def replacing(target: Path, kind: Kind) -> Iterator[Path]:
    """A fresh directory beside ``target`` that takes its place when the block ends well.

    Raises:
        UsageError: something else stands there; see :func:`require_replaceable`.
        EdgectlError: the disk is full or not writable; ``target`` is as it was.
    """
    require_replaceable(target, kind)
    with ExitStack() as stack:
        try:
            tmp = stack.enter_context(directory_beside(target))
        except OSError as e:
            raise EdgectlError(
                f"cannot write: {e.strerror}", where=str(target), fix="choose another --out"
            ) from e
        try:
            yield tmp
            mark = {"kind": kind, "files": sorted(_files(tmp))}
            (tmp / _MARK).write_text(json.dumps(mark) + "\n", encoding="utf-8")
            # what has come to lie there since is not ours either
            require_replaceable(target, kind)
            _exchange(tmp, target)
        except OSError as e:
            raise EdgectlError(
                f"cannot write: {e.strerror or e}",
                where=str(target),
                fix="free disk space, or --out",
            ) from e


def _exchange(tmp: Path, target: Path) -> None:
    if not target.exists():
        tmp.replace(target)
        return
    old = target.parent / f".{target.name}-old-{uuid4().hex[:12]}"
    try:
        target.replace(old)
        tmp.replace(target)
    except BaseException:
        # Ctrl-C may come between the two
        if old.exists() and not target.exists():
            old.replace(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _files(directory: Path) -> set[str]:
    """Everything in it but directories, relative, posix."""
    return {
        p.relative_to(directory).as_posix()
        for p in directory.rglob("*")
        if p.is_symlink() or not p.is_dir()
    }


def _made(directory: Path, kind: Kind) -> set[str] | None:
    """What edgectl put there; None where it is not of that kind, or not edgectl's at all."""
    mark = _document(directory / _MARK)
    if mark is not None:
        return _names(mark["files"]) if mark.get("kind") == kind and "files" in mark else None
    # an artifact of a version that left no mark
    manifest = _document(directory / MANIFEST)
    if kind != "artifact" or manifest is None or manifest.get("schema") != SCHEMA:
        return None
    files = manifest.get("files")
    if not isinstance(files, list) or not all(isinstance(f, dict) for f in files):
        return None
    return _names([MANIFEST, *(f.get("path") for f in files)])


def _names(values: object) -> set[str] | None:
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        return None
    return set(values)


def _document(path: Path) -> dict[str, object] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
