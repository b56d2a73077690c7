"""What a run leaves on the disk while it trains: papers, events, curves, checkpoints.

Of several processes only the first records; the others have a :class:`Recorder`, which does nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator

from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.events import EventLog
from edgectl.runs.provenance import provenance, versions
from edgectl.runs.rundir import RunDirectory
from edgectl.train.ema import ModelEma
from edgectl.train.progress import EpochReport
from edgectl.train.setup import TrainSetup
from edgectl.train.state import Progress, capture
from edgectl.train.validation import Verdict


class Recorder:
    """Told of everything worth keeping. This one keeps nothing."""

    def open(self, progress: Progress, *, resumed: bool, run_metadata: dict[str, Any]) -> None:
        """Before the first step. ``run_metadata``: device, precision, processes and weights."""

    def epoch(self, report: EpochReport, verdict: Verdict | None, progress: Progress) -> None:
        """An epoch's line; brings ``progress.seconds`` up to date."""

    def best(self, verdict: Verdict, progress: Progress) -> None:
        """The averaged weights as they are now are the ones to ship."""

    def last(self, verdict: Verdict | None, progress: Progress) -> None:
        """What a resumed run begins with."""

    def interrupted(self, progress: Progress) -> None:
        """The user or the system ended the run."""


class RunRecorder(Recorder):
    """Into a run directory.

    Args:
        model: without wrappers, so that its tensors have the family's names.
    """

    def __init__(
        self,
        setup: TrainSetup,
        run: RunDirectory,
        accelerator: Accelerator,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        ema: ModelEma,
    ) -> None:
        self._setup, self._run, self._accelerator = setup, run, accelerator
        self._model, self._optimizer, self._ema = model, optimizer, ema
        self._log = EventLog(run.events)
        self._versions = versions()
        self._started = time.perf_counter()
        self._earlier_seconds = 0.0

    def open(self, progress: Progress, *, resumed: bool, run_metadata: dict[str, Any]) -> None:
        """The papers of a new run, and a checkpoint to resume from if the first epoch is cut."""
        self._earlier_seconds = progress.seconds
        config = self._setup.config.train
        if resumed:
            self._log.rewind(progress.epoch)
            self._log.append("resumed", epoch=progress.epoch, versions=self._versions)
        else:
            self._run.write_config(self._setup.config)
            weights = run_metadata.pop("weights")
            document = provenance(seed=config.seed, data=self._setup.data, **run_metadata)
            if weights is not None:
                document["weights"] = {"file": str(self._setup.weights), **weights}
            self._run.write_provenance(document)
            self._log.append("started", epoch=0, epochs=config.epochs)
            self.last(None, progress)
        if config.tensorboard:
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
        if self._setup.config.train.tensorboard:
            scalars: dict[str, Any] = {f"train/{k}": v for k, v in report.losses.items()}
            scalars |= {f"valid/{k}": v for k, v in report.metrics.items()}
            scalars["train/lr"] = report.lr
            self._accelerator.log(scalars, step=report.epoch)

    def best(self, verdict: Verdict, progress: Progress) -> None:
        """``best.pt``."""
        self._checkpoint(verdict, progress).save(self._run.best)

    def last(self, verdict: Verdict | None, progress: Progress) -> None:
        """``last.pt``."""
        checkpoint = self._checkpoint(verdict, progress)
        training = capture(self._model, self._optimizer, self._ema, progress)
        replace(checkpoint, training=training).save(self._run.last)

    def interrupted(self, progress: Progress) -> None:
        """An event."""
        self._log.append("interrupted", epoch=progress.epoch)

    def _checkpoint(self, verdict: Verdict | None, progress: Progress) -> Checkpoint:
        setup = self._setup
        return Checkpoint(
            family=setup.family_name,
            variant=setup.config.variant,
            task=setup.task,
            config=setup.config.model_dump(mode="json"),
            classes=tuple(setup.classes),
            preprocess=setup.preprocess,
            outputs=tuple(setup.outputs),
            weights=dict(self._ema.module.state_dict()),
            epoch=progress.epoch,
            data=setup.data,
            versions=self._versions,
            metrics=verdict.metrics if verdict else {},
            operating_point=verdict.operating_point if verdict else None,
        )
