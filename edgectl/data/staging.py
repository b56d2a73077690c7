"""A directory that appears under its name when it is complete, or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from edgectl.data.index import Sample
from edgectl.data.storage import pack_of, read_bytes
from edgectl.errors import DataError, EdgectlError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


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


class PictureCopies:
    """Copies pictures into directories, each under a name of its own."""

    def __init__(self) -> None:
        self.origins: dict[Path, Sample] = {}
        """Copy -> what it was made of."""
        self._taken: dict[Path, set[str]] = {}

    def add(self, sample: Sample, directory: Path) -> Path:
        """The copy. A name that another picture has taken gets a number."""
        taken = self._taken.setdefault(directory, set())
        name, number = sample.path.name, 1
        # labels go by the stem in some formats, and file systems may ignore case
        while Path(name).stem.lower() in taken:
            number += 1
            name = f"{sample.path.stem}_{number}{sample.path.suffix}"
        taken.add(Path(name).stem.lower())
        directory.mkdir(parents=True, exist_ok=True)
        target = directory / name
        self.origins[target] = sample
        if pack_of(sample.path) is None:
            return Path(shutil.copy2(sample.path, target))
        target.write_bytes(read_bytes(sample.path))
        return target
