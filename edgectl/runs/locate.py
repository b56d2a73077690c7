"""What MODEL on the command line means: a run, a checkpoint, an artifact or a bare file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgectl.errors import ArtifactError, UsageError
from edgectl.runs.rundir import RUNS, RunDirectory, latest_run, through_latest

Kind = Literal["run", "checkpoint", "artifact", "file"]


@dataclass(frozen=True)
class ModelLocation:
    """``path`` is what to open: the checkpoint for ``run`` and ``checkpoint``, the directory with
    ``manifest.json`` for ``artifact``, the file itself for ``file``. ``run`` is the run
    directory the model lies in, where it lies in one."""

    kind: Kind
    path: Path
    run: RunDirectory | None = None


def resolve_model(model: Path | None, *, root: Path = RUNS) -> ModelLocation:
    """Finds what to open. None takes the latest run of the project, and so does ``runs/latest``, which may
    also stand at the head of a path.

    Raises:
        UsageError: nothing there, or a directory that is neither a run nor an artifact.
        ArtifactError: a run without a checkpoint.
    """
    if model is None:
        run = latest_run(root)
        return ModelLocation("run", _chosen(run), run)
    model = through_latest(model)
    if not model.exists():
        raise UsageError(
            "no such file or directory",
            where=str(model),
            fix="a run directory, a checkpoint, an artifact directory or a model file; "
            "left out: the latest run",
        )
    if model.is_dir():
        if (model / "manifest.json").is_file():
            return ModelLocation("artifact", model, _enclosing_run(model))
        run = RunDirectory(model)
        if run.checkpoints.is_dir():
            return ModelLocation("run", _chosen(run), run)
        raise UsageError(
            "neither a run (no checkpoints/) nor an artifact (no manifest.json)", where=str(model)
        )
    if model.suffix == ".pt":
        return ModelLocation("checkpoint", model, _enclosing_run(model))
    manifest = model.parent / "manifest.json"
    if manifest.is_file():
        return ModelLocation("artifact", model.parent, _enclosing_run(model.parent))
    return ModelLocation("file", model)


def _chosen(run: RunDirectory) -> Path:
    """best.pt, or last.pt while the run has not been evaluated."""
    for path in (run.best, run.last):
        if path.is_file():
            return path
    raise ArtifactError(
        "the run has no checkpoint", where=str(run.path), fix="train again: edgectl train"
    )


def _enclosing_run(path: Path) -> RunDirectory | None:
    for parent in path.resolve().parents:
        if (parent / "checkpoints").is_dir():
            return RunDirectory(parent)
    return None
