"""How files and directories appear: complete under their name, or not at all.

The only place that renames into place. A directory that edgectl made holds a list of what was put into it;
one with anything else in it, or of another kind, is never replaced.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal
from uuid import uuid4

from edgectl.errors import DataError, EdgectlError, UsageError

MANIFEST = "manifest.json"
ARTIFACT_SCHEMA = "edgectl-artifact/1"
Kind = Literal["artifact", "bundle"]
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MARK = ".edgectl"


@contextmanager
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


@contextmanager
def directory_beside(target: Path) -> Iterator[Path]:
    """An empty directory on the disk of ``target``, gone afterwards. Parents are made.

    It is named before it is made: an interruption in between finds it. Raises OSError.
    """
    directory = target.parent / f".{target.name}-{uuid4().hex[:12]}"
    try:
        directory.mkdir(parents=True)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def staged(directory: Path) -> Iterator[Path]:
    """An empty directory beside ``directory``, renamed to it at the end.

    Raises:
        DataError: the name is taken, looked at before any work and again at the end.
        EdgectlError: the disk is full, or nothing can be written there.
    """
    _require_free(directory)
    with ExitStack() as stack:
        try:
            place = stack.enter_context(directory_beside(directory)) / directory.name
            place.mkdir()
        except OSError as e:
            raise unwritable(directory, e.strerror or str(e)) from e
        try:
            yield place
        except OSError as e:
            if e.errno not in _FULL:  # then it is about what was read
                raise
            raise unwritable(directory, e.strerror or str(e)) from e
        _require_free(directory)
        if directory.is_dir():
            directory.rmdir()
        place.rename(directory)


def unwritable(directory: Path, why: str) -> EdgectlError:
    """To be raised where ``directory`` cannot be made."""
    return EdgectlError(
        f"cannot be written: {why}",
        where=str(directory),
        fix="free disk space, or name a directory that can be written, on another disk",
    )


def _require_free(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise DataError(
            "is there already, and not empty", where=str(directory), fix="name another directory"
        )


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
    if kind != "artifact" or manifest is None or manifest.get("schema") != ARTIFACT_SCHEMA:
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
