"""What the runs of a project are, side by side, and what can go."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.errors import UsageError
from edgectl.leftovers import find_all, remove
from edgectl.locks import hold
from edgectl.runs.listing import RunSummary, list_runs, summarize
from edgectl.runs.rundir import LATEST, RUNS, RunDirectory, latest_run, set_latest, through_latest
from edgectl.workflows.arguments import PathLike


@dataclass(frozen=True)
class RunList:
    """Every run of the project; ``latest``: the one commands take where none is named."""

    runs: tuple[RunSummary, ...]
    latest: Path | None

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``runs list --json``."""
        return {
            "runs": [r.to_dict() for r in self.runs],
            "latest": None if self.latest is None else str(self.latest),
        }


@dataclass(frozen=True)
class RunDetails:
    """One run and its whole configuration."""

    summary: RunSummary

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``runs show --json``."""
        return self.summary.to_dict() | {"config": self.summary.config}


@dataclass(frozen=True)
class Comparison:
    """Runs side by side. ``config``: the keys they differ in; None where a run has no such key."""

    runs: tuple[RunSummary, ...]
    config: dict[str, list[Any]]
    metrics: dict[str, list[float | None]]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``runs compare --json``."""
        return {
            "runs": [str(r.run) for r in self.runs],
            "config": self.config,
            "metrics": self.metrics,
        }


@dataclass(frozen=True)
class Cleaning:
    """What was removed, or would be."""

    removed: tuple[Path, ...]
    bytes: int
    dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``runs clean --json``."""
        removed = [str(p) for p in self.removed]
        return {"removed": removed, "bytes": self.bytes, "dry_run": self.dry_run}


def list_all() -> RunList:
    """``edgectl runs list``."""
    return RunList(tuple(list_runs()), _find_latest())


def show(run: PathLike | None = None) -> RunDetails:
    """``edgectl runs show``. ``run``: default: the latest one. Raises UsageError where there is none."""
    return RunDetails(_summarize(latest_run().path if run is None else Path(run)))


def compare(runs: Sequence[PathLike]) -> Comparison:
    """``edgectl runs compare``. Raises UsageError for fewer than two, or what is no run."""
    if len(runs) < 2:
        raise UsageError("two runs or more are compared", fix="edgectl runs compare RUN RUN")
    found = tuple(_summarize(Path(r)) for r in runs)
    keys = list(dict.fromkeys(key for r in found for key in r.config))
    config = {key: [r.config.get(key) for r in found] for key in keys}
    names = list(dict.fromkeys(name for r in found for name in r.metrics))
    return Comparison(
        found,
        {key: values for key, values in config.items() if any(v != values[0] for v in values)},
        {name: [r.metrics.get(name) for r in found] for name in names},
    )


def clean(*, dry_run: bool = False) -> Cleaning:
    """``edgectl runs clean``: removes what dead processes left below ``runs``, and runs that ended
    before their first checkpoint.

    Args:
        dry_run: only say what.
    """
    left = list(find_all(RUNS))
    empty = [r.run for r in list_runs() if r.state == "empty"]
    size = sum(map(_size, (*left, *empty)))
    if not dry_run:
        for path in left:
            remove(path)
        for path in empty:
            with hold(path, "is being trained"):
                shutil.rmtree(path, ignore_errors=True)
        _mend_latest()
    return Cleaning((*left, *empty), size, dry_run)


def _summarize(path: Path) -> RunSummary:
    path = through_latest(path)
    if not RunDirectory(path).checkpoints.is_dir():
        raise UsageError("is no run", where=str(path), fix="one of 'edgectl runs list'")
    return summarize(path)


def _find_latest() -> Path | None:
    try:
        return latest_run().path
    except UsageError:
        return None


def _mend_latest() -> None:
    """Where the run it names has gone, the one that was written to last."""
    if not (RUNS / LATEST).is_file() or _find_latest() is not None:
        return
    left = [r.run for r in list_runs()]
    if left:
        set_latest(max(left, key=lambda p: (p / "checkpoints").stat().st_mtime))
    else:
        (RUNS / LATEST).unlink()


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.lstat().st_size for p in files)
