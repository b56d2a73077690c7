"""Run directories: ``runs/<train|qat>/<family>-<NNN>/``, one a run, and ``runs/latest``."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.config import resolved
from edgectl.config.schema import RunConfig
from edgectl.errors import EdgectlError, UsageError
from edgectl.files import write_json, write_text
from edgectl.locks import hold, require_unlocked

RUNS = Path("runs")
LATEST = "latest"
_LONGEST = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run. Every name in it is fixed, so that tools find them."""

    path: Path

    @property
    def config(self) -> Path:
        """What was configured, defaults and flags merged."""
        return self.path / "config.resolved.toml"

    @property
    def provenance(self) -> Path:
        """Versions, machine, seed, data, command."""
        return self.path / "provenance.json"

    @property
    def float_model(self) -> str | None:
        """The model a run of ``qat``, whose weights are integers, began with."""
        try:
            document = json.loads(self.provenance.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return str(document["from"]) if isinstance(document, dict) and "from" in document else None

    @property
    def splits(self) -> Path:
        """Which image is in which split, where the set came without one."""
        return self.path / "splits.json"

    @property
    def events(self) -> Path:
        """One JSON line an epoch."""
        return self.path / "events.jsonl"

    @property
    def metrics(self) -> Path:
        """Figures of both checkpoints, with their sha256."""
        return self.path / "metrics.json"

    @property
    def plots(self) -> Path:
        """Curves."""
        return self.path / "plots"

    @property
    def checkpoints(self) -> Path:
        """``last.pt`` and ``best.pt``."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The last finished epoch; a run is resumed from it."""
        return self.checkpoints / "last.pt"

    @property
    def best(self) -> Path:
        """The weights that ship."""
        return self.checkpoints / "best.pt"

    @property
    def logs(self) -> Path:
        """What the processes of a run on several devices wrote besides."""
        return self.path / "logs"

    def log_of(self, rank: int) -> Path:
        """Warnings and tracebacks of one process."""
        return self.logs / f"rank-{rank}.log"

    def write_config(self, config: RunConfig) -> None:
        """Atomically."""
        write_text(self.config, resolved.dumps(config))

    def write_provenance(self, document: dict[str, Any]) -> None:
        """Atomically."""
        write_json(self.provenance, document)

    def write_splits(self, document: dict[str, Any]) -> None:
        """Atomically."""
        write_json(self.splits, document)

    def write_metrics(self, document: dict[str, Any]) -> None:
        """Atomically."""
        write_json(self.metrics, document)


def create_run(
    family: str, *, name: str | None = None, kind: str = "train", root: Path = RUNS
) -> RunDirectory:
    """A fresh run directory, the next free number or ``name``. A training run becomes ``latest``
    at once, so that it can be resumed; others when they have something to show.

    Two processes never get the same one: ``mkdir`` is the lock.

    Raises:
        UsageError: ``name`` is taken or not a plain file name.
        EdgectlError: the directory cannot be written.
    """
    parent = root / kind
    try:
        parent.mkdir(parents=True, exist_ok=True)
        path = _named(parent, name) if name else _numbered(parent, family)
        for part in ("checkpoints", "plots"):
            (path / part).mkdir()
    except OSError as e:
        raise EdgectlError(
            f"cannot create a run directory: {e.strerror}",
            where=str(parent),
            fix="run from a directory you may write to",
        ) from e
    if kind == "train":
        set_latest(path, root=root)
    return RunDirectory(path)


def hold_run(run: RunDirectory) -> AbstractContextManager[None]:
    """The run is this process's to train for the length of the block. Raises BusyError where it is another's."""
    return hold(run.path, "is being trained")


def require_idle(run: Path) -> None:
    """Raises BusyError for a run that is being trained: asked before long work. The processes of one run do
    not ask."""
    if "RANK" not in os.environ:
        require_unlocked(through_latest(run), "is being trained")


@contextmanager
def keep_if_resumable(
    run: RunDirectory, previous: str | None, *, root: Path = RUNS
) -> Iterator[None]:
    """Around a run's beginning: one that ends in an error before its first checkpoint leaves nothing, and
    ``latest`` names the run it named before. ``previous``: from :func:`pointed_at`."""
    try:
        yield
    except BaseException:
        if not run.last.is_file() and not run.best.is_file():
            shutil.rmtree(run.path, ignore_errors=True)
            if pointed_at(root) == _pointer(run.path, root):  # no other run has begun since
                if previous is None:
                    (root / LATEST).unlink()
                else:
                    write_text(root / LATEST, previous)
        raise


def pointed_at(root: Path = RUNS) -> str | None:
    """What ``latest`` holds; None where there is no such file."""
    try:
        return (root / LATEST).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def set_latest(path: Path, *, root: Path = RUNS) -> None:
    """Writes ``<root>/latest``: a line of text, since links need privileges on Windows."""
    write_text(root / LATEST, _pointer(path, root))


def _pointer(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() + "\n"


def latest_run(root: Path = RUNS) -> RunDirectory:
    """The run ``latest`` names.

    Raises UsageError when there is none, or it was deleted.
    """
    pointer = root / LATEST
    fix = "train first: edgectl train FAMILY --data DATA, or name the model"
    if not pointer.is_file():
        raise UsageError("no run yet in this project", where=str(root), fix=fix)
    named = pointer.read_text(encoding="utf-8", errors="replace").strip()
    path = root / named
    if "\0" in named or len(named) > _LONGEST or not path.is_dir():
        shown = ascii(named)[1:-1][:200]
        raise UsageError(f"the latest run was deleted: {root / shown}", where=str(pointer), fix=fix)
    return RunDirectory(path)


def through_latest(path: Path) -> Path:
    """``runs/latest`` and what lies under it, as a path that exists on the disk; other paths unchanged.

    Raises UsageError where the run it names was deleted.
    """
    for pointer in (path, *path.parents):
        if pointer.name == LATEST and pointer.is_file():
            return latest_run(pointer.parent).path / path.relative_to(pointer)
    return path


def _named(parent: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot name a run",
            where="--name",
            fix="letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    path = parent / name
    try:
        path.mkdir()
    except FileExistsError as e:
        raise UsageError(
            f"run '{name}' exists",
            where="--name",
            fix=f"choose another name, or edgectl train --resume {path}; without a checkpoint: edgectl runs clean",
        ) from e
    return path


def _numbered(parent: Path, family: str) -> Path:
    number = max((_number(p.name, family) for p in parent.iterdir()), default=0)
    while True:
        number += 1
        path = parent / f"{family}-{number:03d}"
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path


def _number(name: str, family: str) -> int:
    digits = name.removeprefix(f"{family}-")
    return int(digits) if digits != name and digits.isdecimal() else 0
