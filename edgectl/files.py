"""How files and directories appear: complete under their name, or not at all.

The only place that renames into place. What is being written lies aside, under a dot name that tells which
process writes it (:mod:`edgectl.leftovers` removes what dead ones left). It is on the disk before it takes
its name, and takes it in one step. A directory that edgectl made holds a list of what was put into it; one
with anything else in it, or of another kind, is never replaced.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from edgectl.errors import DataError, EdgectlError, UsageError
from edgectl.leftovers import name_aside, sweep
from edgectl.locks import hold

MANIFEST = "manifest.json"
ARTIFACT_SCHEMA = "edgectl-artifact/1"
Kind = Literal["artifact", "bundle"]
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MARK = ".edgectl"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""``linux/fs.h``."""


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


@contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """A temporary file in ``path``'s directory that takes its place when the block ends well.

    The data is on the disk (fsync) before the name changes, so a crash leaves a whole file.

    Raises:
        EdgectlError: the directory is not writable or the disk is full; ``path`` is as it was.
    """
    # named before it is made: an interruption in between finds it
    tmp = name_aside(path)
    try:
        sweep(path.parent)
        with tmp.open("xb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        tmp.replace(path)
        _sync_directory(path.parent)
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


def find_artifacts(directory: Path, pattern: str = "export/*") -> list[Path]:
    """Directories below it that hold a manifest, sorted; none that is still being written."""
    found = directory.glob(f"{pattern}/{MANIFEST}")
    places = (p.parent for p in found)
    return sorted(
        p for p in places if not any(n.startswith(".") for n in p.relative_to(directory).parts)
    )


@contextmanager
def directory_beside(target: Path) -> Iterator[Path]:
    """An empty directory on the disk of ``target``, gone afterwards. Parents are made.

    It is named before it is made: an interruption in between finds it. Raises OSError.
    """
    directory = name_aside(target)
    with _parents(target):
        try:
            sweep(target.parent)
            directory.mkdir()
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """Makes the directories it needs; those that are empty still go again. Raises OSError."""
    made = [p for p in path.parents if not p.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()


@contextmanager
def staged(directory: Path) -> Iterator[Path]:
    """An empty directory beside ``directory``, renamed to it at the end. Parents are made.

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
        try:
            _sync_tree(place)
            # a rename replaces an empty directory in one step
            place.rename(directory)
        except OSError as e:
            raise unwritable(directory, e.strerror or str(e)) from e
        _sync_directory(directory.parent)


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
        BusyError: another process is making it.
        EdgectlError: the disk is full or not writable; ``target`` is as it was.
    """
    require_replaceable(target, kind)
    with ExitStack() as stack:
        try:
            stack.enter_context(_parents(target))
            stack.enter_context(hold(target, "is being made"))
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
    """``target`` is the old directory or the new one at every moment, where the system can exchange names."""
    _sync_tree(tmp)
    if not target.exists():
        tmp.replace(target)
    elif not _exchange_names(tmp, target):
        _replace_by_two_renames(tmp, target)
    _sync_directory(target.parent)


def _exchange_names(a: Path, b: Path) -> bool:
    """renameat2 with RENAME_EXCHANGE; False where the system or the file system has no such thing."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    if rename(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE) == 0:
        return True
    error = ctypes.get_errno()
    if error in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(error, os.strerror(error), str(b))


def _replace_by_two_renames(tmp: Path, target: Path) -> None:
    """With a moment in between; who dies in it leaves the old one for :func:`edgectl.leftovers.sweep`."""
    old = name_aside(target, "old")
    try:
        target.replace(old)
        tmp.replace(target)
    except BaseException:
        # Ctrl-C may come between the two
        if old.exists() and not target.exists():
            old.replace(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


def _sync_tree(directory: Path) -> None:
    """Every file and directory below it is on the disk."""
    for folder, _, names in os.walk(directory, topdown=False):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as f:
                    os.fsync(f.fileno())
        _sync_directory(Path(folder))


def _sync_directory(directory: Path) -> None:
    """Names in it are on the disk. Systems that cannot open a directory keep them safe in other ways."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
