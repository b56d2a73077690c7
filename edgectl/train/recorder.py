"""What a run leaves on the disk while it trains: provenance, events, curves, checkpoints.

Of several processes only the first records; the others have a :class:`Recorder`, which does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator

from edgectl.runs.events import EventLog
from edgectl.runs.provenance import provenance, versions
from edgectl.runs.rundir import RunDirectory
from edgectl.train.ema import ModelEma
from edgectl.train.progress import EpochReport
from edgectl.train.state import Progress, capture
from edgectl.train.trainee import Snapshot, Trainee, Verdict


class Recorder:
    """Told of everything worth keeping. This one keeps nothing."""

    def open(self, progress: Progress, *, resumed: bool, run_metadata: dict[str, Any]) -> None:
        """Before the first step. ``run_metadata``: device, precision and processes."""

    def epoch(self, report: EpochReport, verdict: Verdict | None, progress: Progress) -> None:
        """An epoch's line; brings ``progress.seconds`` up to date."""

    def best(self, verdict: Verdict, progress: Progress) -> None:
        """The weights as they are now are the ones to ship."""

    def last(self, verdict: Verdict | None, progress: Progress) -> None:
        """What a resumed run begins with."""

    def interrupted(self, progress: Progress) -> None:
        """The user or the system ended the run."""


class RunRecorder(Recorder):
    """Into a run directory.

    Args:
        model: without wrappers, so that its tensors have their own names.
        ema: of it; None where no average is kept.
        origin: more entries of the provenance.
    """

    def __init__(
        self,
        trainee: Trainee,
        run: RunDirectory,
        accelerator: Accelerator,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        ema: ModelEma | None,
        origin: Mapping[str, Any],
    ) -> None:
        self._trainee, self._run, self._accelerator = trainee, run, accelerator
        self._model, self._optimizer, self._ema, self._origin = model, optimizer, ema, origin
        self._log = EventLog(run.events)
        self._versions = versions()
        self._started = time.perf_counter()
        self._earlier_seconds = 0.0

    def open(self, progress: Progress, *, resumed: bool, run_metadata: dict[str, Any]) -> None:
        """Configuration and provenance of a new run, and a checkpoint to resume from if the first epoch
        is cut."""
        self._earlier_seconds = progress.seconds
        settings = self._trainee.settings
        if resumed:
            self._log.rewind(progress.epoch)
            self._log.append("resumed", epoch=progress.epoch, versions=self._versions)
        else:
            self._run.write_config(self._trainee.config)
            document = provenance(seed=settings.seed, data=self._trainee.data, **run_metadata)
            self._run.write_provenance({**document, **self._origin})
            self._log.append("started", epoch=0, epochs=settings.epochs)
            self.last(None, progress)
        if settings.tensorboard:
            self._accelerator.init_trackers("tensorboard")

    def epoch(self, report: EpochReport, verdict: Verdict | None, progress: Progress) -> None:
        """One event, and the curves' next points."""
        progress.seconds = self._earlier_seconds + time.perf_counter() - self._started
        point = verdict.operating_point if verdict else None
        self._log.append(
            "epoch",
            epoch=report.epoch,
            losses=dict(report.losses),
            lr=report.lr,
            metrics=dict(report.metrics),
            holdout=verdict.score if verdict else None,
            threshold=point.threshold if point else None,
            images_per_second=round(report.images_per_second, 1),
            seconds=round(progress.seconds, 3),
        )
        if self._trainee.settings.tensorboard:
            scalars: dict[str, Any] = {f"train/{k}": v for k, v in report.losses.items()}
            scalars |= {f"valid/{k}": v for k, v in report.metrics.items()}
            scalars["train/lr"] = report.lr
            self._accelerator.log(scalars, step=report.epoch)

    def best(self, verdict: Verdict, progress: Progress) -> None:
        """``best.pt``."""
        self._trainee.checkpoint(self._snapshot(verdict, progress)).save(self._run.best)

    def last(self, verdict: Verdict | None, progress: Progress) -> None:
        """``last.pt``."""
        training = capture(self._model, self._optimizer, self._ema, progress)
        snapshot = self._snapshot(verdict, progress, training)
        self._trainee.checkpoint(snapshot).save(self._run.last)

    def interrupted(self, progress: Progress) -> None:
        """An event."""
        self._log.append("interrupted", epoch=progress.epoch)

    def _snapshot(
        self, verdict: Verdict | None, progress: Progress, training: dict[str, Any] | None = None
    ) -> Snapshot:
        network = self._model if self._ema is None else self._ema.module
        return Snapshot(
            progress.epoch, dict(network.state_dict()), self._versions, verdict, training
        )
