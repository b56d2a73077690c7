"""Trains a model family on labelled images."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgectl.errors import UsageError
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RunDirectory, require_idle
from edgectl.workflows.arguments import (
    PathLike,
    Settings,
    SizeLike,
    nest,
    read_settings,
    read_size,
    spell_options,
)
from edgectl.workflows.console import Console
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.families import open_family
from edgectl.workflows.training.plan import TrainPlan, plan_new_run, plan_resume

if TYPE_CHECKING:
    from edgectl.train.result import FitResult

_KEYS = {
    "data": "data.name",
    "images": "data.images",
    "variant": "variant",
    "imgsz": "input_size",
    "epochs": "train.epochs",
    "batch": "train.batch",
    "lr": "train.optimizer.lr",
    "weights": "train.weights",
    "device": "train.device",
    "devices": "train.devices",
    "seed": "train.seed",
}
"""Configuration keys of the options."""


@dataclass(frozen=True)
class Run:
    """A finished training run. Wherever a model is asked for, the run itself may stand.

    Attributes:
        path: its directory.
        best: the checkpoint that ships.
        last: the one a run is resumed from.
        seconds: everything, over all sittings of the run.
        images_per_second: in training steps, evaluation not counted.
        metrics: of ``best`` on the validation split; empty where there is none.
        holdout: ``score`` of ``best`` on the images of *train* that were held back, and ``chosen_on``,
            what it is of; None where none were.
    """

    path: Path
    best: Path
    last: Path
    epochs: int
    seconds: float
    images_per_second: float
    metrics: dict[str, Any]
    holdout: dict[str, Any] | None = field(default=None, kw_only=True)

    def __fspath__(self) -> str:
        return str(self.path)

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``train --json``."""
        return {
            "run": str(self.path),
            "best": str(self.best),
            "last": str(self.last),
            "epochs": self.epochs,
            "seconds": round(self.seconds, 2),
            "images_per_second": round(self.images_per_second, 1),
            "metrics": self.metrics,
            "holdout": self.holdout,
        }

    @classmethod
    def from_result(cls, result: FitResult) -> Run:
        """Of a run in this process."""
        return cls(
            result.run,
            result.best,
            result.last,
            result.epochs,
            result.seconds,
            result.images_per_second,
            result.metrics,
            holdout=_read_holdout(result.run),
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Run:
        """Of a run in processes that reported :meth:`to_dict`."""
        return cls(
            Path(data["run"]),
            Path(data["best"]),
            Path(data["last"]),
            data["epochs"],
            data["seconds"],
            data["images_per_second"],
            data["metrics"],
            holdout=data.get("holdout"),
        )


def _read_holdout(path: Path) -> dict[str, Any] | None:
    run = RunDirectory(path)
    document = json.loads(run.metrics.read_text(encoding="utf-8"))
    epoch = document["best"]["epoch"]
    scores = [e.get("holdout") for e in read_events(run.events) if e.get("epoch") == epoch]
    if not scores or scores[-1] is None:
        return None
    return {"score": scores[-1], "chosen_on": document["best_chosen_on"]}


def train(
    family: str = "",
    *,
    data: PathLike = "",
    images: PathLike | None = None,
    variant: str = "",
    epochs: int | None = None,
    batch: int | None = None,
    imgsz: SizeLike | None = None,
    lr: float | None = None,
    weights: PathLike | None = None,
    device: str | None = None,
    devices: int | None = None,
    nodes: int = 1,
    rdzv: str = "",
    node_rank: int | None = None,
    seed: int | None = None,
    resume: PathLike | None = None,
    name: str | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
    on_opened: Callable[[Path], None] = lambda run: None,
) -> Run:
    """``edgectl train``: each argument is its option; what is left out, the configuration says.

    Args:
        images: directory of the images, where they are not beside the labels.
        resume: a run: it goes on where it stopped.
        set: any configuration keys.
        console: whom to tell of the progress; nobody by default.
        on_opened: called with the run's directory once it exists.

    Raises:
        UsageError, ConfigError: the arguments or the configuration.
        DataError: the images or the labels.
        DependencyError: a device that is not here.
        InterruptedRunError: Ctrl-C, with a checkpoint written.
    """
    options = {
        "data": str(data) or None,
        "images": None if images is None else str(images),
        "variant": variant or None,
        "epochs": epochs,
        "batch": batch,
        "imgsz": None if imgsz is None else read_size(imgsz),
        "lr": lr,
        "weights": None if weights is None else str(weights),
        "device": device,
        "devices": devices,
        "seed": seed,
    }
    context, settings = open_context(console, offline), read_settings(set)
    plan = _plan(context, family, options, settings, resume=resume, name=name)
    meeting = _Meeting(nodes, rdzv, node_rank)
    more = {"resume": resume, "name": name, "set": settings}
    words = ["train", *([family] if family else []), *spell_options({**options, **more})]
    return _run(context, plan, meeting, words, on_opened)


@dataclass(frozen=True)
class _Meeting:
    """Several machines: how many, where they meet, and which one this is."""

    nodes: int
    rdzv: str
    node_rank: int | None


def _plan(
    context: Context,
    family: str,
    options: Mapping[str, Any],
    settings: list[str],
    *,
    resume: PathLike | None,
    name: str | None,
) -> TrainPlan:
    flags = nest(
        {
            _KEYS[option]: list(value) if isinstance(value, tuple) else value
            for option, value in options.items()
        }
    )
    if resume is not None:
        require_idle(Path(resume))
        return plan_resume(context.registry, Path(resume), family, flags, settings, name)
    if not family:
        raise UsageError(
            "which family?", fix="edgectl train FAMILY --data DATA; see 'edgectl models'"
        )
    return plan_new_run(open_family(context.registry, family), flags, settings, name)


def _run(
    context: Context,
    plan: TrainPlan,
    meeting: _Meeting,
    words: list[str],
    on_opened: Callable[[Path], None],
) -> Run:
    """Here, where one process is enough or this is one of them; else once a device."""
    from edgectl.train.distributed.launch import OUTCOMES, Machines, check_machines
    from edgectl.train.distributed.processes import Processes
    from edgectl.workflows.training.launch import launch_command
    from edgectl.workflows.training.run import run_training

    config = plan.config.train
    processes = Processes.from_environment()
    # a process that was launched leaves it to its launcher
    if plan.note and processes.is_main and OUTCOMES not in os.environ:
        context.console.note(plan.note)
    machines = Machines(config.devices, meeting.nodes, meeting.rdzv, meeting.node_rank)
    if not processes.is_distributed:
        machines.check()
    if processes.is_distributed or machines.world == 1:
        result = run_training(context, plan, processes, lambda run: on_opened(run.path))
        return Run.from_result(result)
    check_machines(machines, config)
    return Run.from_dict(launch_command(context, machines, words, config.threads))
