"""What a finished run amounts to: ``metrics.json`` and the figures ``edgectl train`` reports."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.files import sha256_of
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.rundir import RunDirectory
from edgectl.train.setup import TrainSetup
from edgectl.train.state import Progress


@dataclass(frozen=True)
class FitResult:
    """``metrics``: of ``best`` on the validation split. ``images_per_second``: in training steps,
    evaluation not counted. ``seconds``: everything, over all sittings of the run."""

    run: Path
    best: Path
    last: Path
    epochs: int
    seconds: float
    images_per_second: float
    metrics: dict[str, Any]


def finish(run: RunDirectory, setup: TrainSetup, progress: Progress) -> FitResult:
    """Writes ``metrics.json``: the figures of both checkpoints beside the sha256 of the file they
    were measured on. May be repeated."""
    chosen_on = (
        f"{setup.holdout.source}, {setup.metrics.main}, one-standard-error rule"
        if setup.holdout is not None
        else "last epoch (no held-back images)"
    )
    best = Checkpoint.load(run.best)
    run.write_metrics(
        {
            "schema": "edgectl-metrics/1",
            "split": setup.config.data.valid_split if setup.valid is not None else None,
            "data": setup.data,
            "best": _entry(run, run.best, best),
            "best_chosen_on": chosen_on,
            "last": _entry(run, run.last, Checkpoint.load(run.last)),
        }
    )
    return measure_run(run, progress, best.metrics)


def measure_run(run: RunDirectory, progress: Progress, metrics: dict[str, Any]) -> FitResult:
    """``metrics``: of ``best``, empty where it is not scored."""
    return FitResult(
        run=run.path,
        best=run.best,
        last=run.last,
        epochs=progress.epoch,
        seconds=progress.seconds,
        images_per_second=progress.images / max(progress.train_seconds, 1e-9),
        metrics=metrics,
    )


def _entry(run: RunDirectory, path: Path, checkpoint: Checkpoint) -> dict[str, Any]:
    point = checkpoint.operating_point
    return {
        "path": path.relative_to(run.path).as_posix(),
        "sha256": sha256_of(path),
        "epoch": checkpoint.epoch,
        "operating_point": dataclasses.asdict(point) if point is not None else None,
        "metrics": checkpoint.metrics,
    }
