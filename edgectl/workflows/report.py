"""Writes one self-contained HTML page about a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.report.html import write_report
from edgectl.runs.rundir import latest_run, through_latest
from edgectl.workflows.arguments import PathLike, read_path


@dataclass(frozen=True)
class Page:
    """The file that was written, and its size."""

    path: Path
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``report --json``."""
        return {"report": str(self.path), "bytes": self.bytes}


def report(run: PathLike | None = None, *, out: PathLike | None = None) -> Page:
    """``edgectl report``. ``run``: default: the latest one. ``out``: default: ``RUN/report.html``."""
    directory = through_latest(Path(run)) if run else latest_run().path
    path = write_report(directory, read_path(out))
    return Page(path, path.stat().st_size)
