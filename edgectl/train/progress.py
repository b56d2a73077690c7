"""What a run tells its watcher: a live bar on a terminal, a line an epoch in a log, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

_SHOWN = 3
"""Figures in an epoch's line: tasks report their main ones first. The events have them all."""


@dataclass(frozen=True)
class RunStart:
    """``first_epoch`` is above 0 in a resumed run; it counts the epochs already done."""

    run: Path
    epochs: int
    first_epoch: int
    steps_per_epoch: int
    device: str
    precision: str
    threads: int
    weights: str = ""
    """What came out of a file of pretrained weights."""
    processes: int = 1
    """That train together."""


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch (1-based).

    Attributes:
        metrics: on *valid*; empty where the epoch was not scored there.
        holdout: the main metric on held-back images, where there are any and it was judged.
    """

    epoch: int
    epochs: int
    losses: Mapping[str, float]
    lr: float
    images_per_second: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    holdout: float | None = None

    def __str__(self) -> str:
        losses = "  ".join(f"{k} {v:.4f}" for k, v in self.losses.items())
        shown = list(self.metrics.items())[:_SHOWN]
        metrics = "".join(f"  {k} {v:.3f}" for k, v in shown)
        if not shown and self.holdout is not None:
            metrics = f"  hold-out {self.holdout:.3f}"
        return (
            f"epoch {self.epoch}/{self.epochs}  {losses}{metrics}  "
            f"lr {self.lr:.2e}  {self.images_per_second:.0f} img/s"
        )


class Reporter:
    """Told of everything, from the training thread. This one says nothing (``--json``, tests)."""

    def on_start(self, start: RunStart) -> None:
        """Before the first step."""

    def on_step(self, step: int) -> None:
        """``step`` counts the finished steps of the present epoch. Must return quickly."""

    def on_epoch(self, report: EpochReport) -> None:
        """After the epoch's checkpoint is written."""

    def on_end(self) -> None:
        """Always called, also when the run fails or is interrupted."""


class LineReporter(Reporter):
    """One line an epoch, for logs and pipes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def on_start(self, start: RunStart) -> None:
        """Writes the headline."""
        self._write(_headline(start))

    def on_epoch(self, report: EpochReport) -> None:
        """Writes the epoch's line."""
        self._write(str(report))

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class RichReporter(Reporter):
    """A bar over all steps of the run; evaluated epochs leave a line above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._steps_per_epoch = 0
        self._done = 0

    def on_start(self, start: RunStart) -> None:
        """Writes the headline and shows the bar."""
        self._console.print(_headline(start), highlight=False)
        self._steps_per_epoch = start.steps_per_epoch
        self._done = start.first_epoch
        self._task = self._progress.add_task(
            "train",
            total=start.epochs * start.steps_per_epoch,
            completed=self._done * start.steps_per_epoch,
            epoch=f"{self._done + 1}/{start.epochs}",
            loss="",
        )
        self._progress.start()

    def on_step(self, step: int) -> None:
        """Moves the bar; it is redrawn ten times a second at most."""
        if self._task is not None:
            self._progress.update(self._task, completed=self._done * self._steps_per_epoch + step)

    def on_epoch(self, report: EpochReport) -> None:
        """Leaves a line where there are metrics."""
        self._done = report.epoch
        if self._task is not None:
            nearest = min(report.epoch + 1, report.epochs)
            loss = f"loss {report.losses['loss']:.4f}"
            self._progress.update(self._task, epoch=f"{nearest}/{report.epochs}", loss=loss)
        if report.metrics or report.holdout is not None:
            self._console.print(str(report), highlight=False)

    def on_end(self) -> None:
        """Takes the bar away."""
        self._progress.stop()


def choose_reporter(*, quiet: bool = False) -> Reporter:
    """Rich on a terminal, lines otherwise; both write to stderr."""
    if quiet:
        return Reporter()
    console = Console(stderr=True)
    return RichReporter(console) if console.is_terminal else LineReporter(sys.stderr)


def _headline(start: RunStart) -> str:
    again = f", from epoch {start.first_epoch + 1}" if start.first_epoch else ""
    many = f"{start.processes} processes, " if start.processes > 1 else ""
    return (
        f"{start.run}: {start.epochs} epochs of {start.steps_per_epoch} steps{again}, "
        f"{many}{start.device} {start.precision}, {start.threads} threads"
        + (f"\n{start.weights}" if start.weights else "")
    )
