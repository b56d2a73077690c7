"""Trains what a plan says, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.sheet import batch_images, contact_sheet, png
from edgectl.data.loading.loader import Batch
from edgectl.errors import ConfigError, DataError, DependencyError, EdgectlError
from edgectl.files import replacing_file
from edgectl.runs.provenance import versions
from edgectl.runs.rundir import (
    RunDirectory,
    create_run,
    hold_run,
    keep_if_resumable,
    pointed_at,
    set_latest,
)
from edgectl.train.device import choose_device, choose_threads
from edgectl.train.distributed.processes import Processes
from edgectl.train.float_trainee import FloatTrainee
from edgectl.train.loop import Trainer
from edgectl.train.result import FitResult
from edgectl.train.setup import TrainSetup
from edgectl.workflows.opening.context import Context
from edgectl.workflows.opening.datasets import open_run_data
from edgectl.workflows.opening.run_data import find_run_data
from edgectl.workflows.training.plan import TrainPlan
from edgectl.workflows.training.setup import make_setup

_OF_A_MACHINE = ("devices", "threads", "weights", "peer_timeout")
_SHEET = 16
"""Images on the sheet of what training sees."""


def run_training(
    context: Context,
    plan: TrainPlan,
    processes: Processes = Processes(),
    on_opened: Callable[[RunDirectory], None] = lambda run: None,
) -> FitResult:
    """Opens the data and trains, alone or as one of several processes.

    Args:
        on_opened: called once there is a run directory, before the first step.

    Raises:
        BusyError: another process trains the run that is to go on.
    """
    config, runs = plan.config, (Path.cwd() / "runs").resolve()
    if processes.is_distributed:
        processes.join(choose_device(config.train.device), config.train.peer_timeout)
    with processes.rank0_first():
        index = _open_data(context, plan)
        resuming = plan.checkpoint is not None
        setup = make_setup(context, plan.family, config, index, processes, resuming=resuming)
    require_same_setup(setup, processes)
    path: Path | None = None
    begins = processes.is_main and plan.run is None
    previous = pointed_at()
    if begins:
        path = create_run(plan.family.info.name, name=plan.name).path
    elif processes.is_main and plan.run is not None:
        path = plan.run.path
        if path.resolve().is_relative_to(runs):
            set_latest(path.resolve(), root=runs)
    path = processes.broadcast(path)
    assert path is not None
    run = RunDirectory(path)
    if plan.run is not None and processes.is_main:
        _warn_of_threads(context, run, choose_threads(config.train.threads, processes.local_world))
    on_opened(run)
    # of several processes, what each wrote lies in the run and says why it ended
    alone = begins and not processes.is_distributed
    with (
        hold_run(run) if processes.is_main else nullcontext(),
        keep_if_resumable(run, previous) if alone else nullcontext(),
    ):
        if begins:
            if index.made_splits:
                run.write_splits({"made": index.made_splits, "files": index.files()})
            write_sheet(setup, run)
        result = Trainer(FloatTrainee(setup), context.console.reporter(), processes).fit(
            run, resume=plan.checkpoint
        )
    processes.leave()
    return result


def require_same_setup(setup: TrainSetup, processes: Processes) -> None:
    """Before the first step: all processes have the same images, configuration and versions.

    Raises:
        DataError, ConfigError, DependencyError: this one has others than the first.
    """
    config = setup.config.model_dump(mode="json", exclude={"tools"})
    config["data"] = {k: v for k, v in config["data"].items() if k != "name"}
    config["train"] = {k: v for k, v in config["train"].items() if k not in _OF_A_MACHINE}
    mine = {
        "images": setup.data["fingerprint"],
        "configuration": config,
        "versions": {k: v for k, v in versions().items() if k != "python"},
    }
    first = processes.broadcast(mine)
    kinds: dict[str, type[EdgectlError]] = {
        "images": DataError,
        "configuration": ConfigError,
        "versions": DependencyError,
    }
    for name, kind in kinds.items():
        if mine[name] != first[name]:
            raise kind(
                f"process {processes.rank} has other {name} than process 0",
                fix="the same copy of the data set, edgectl.toml and packages on every machine",
            )


def _warn_of_threads(context: Context, run: RunDirectory, now: int) -> None:
    """Sums in another order are other bits."""
    try:
        hardware = json.loads(run.provenance.read_text(encoding="utf-8"))["hardware"]
        before = int(hardware["threads"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if before != now:
        context.console.warn(
            f"the run began with {before} threads and goes on with {now}: its weights will not be those "
            f"of an unbroken run to the bit; --set train.threads={before} makes them so"
        )


def _open_data(context: Context, plan: TrainPlan) -> DatasetIndex:
    """A run that goes on finds its set again, where it was or where --data says."""
    name = plan.config.data.name
    if plan.checkpoint is None:
        return open_run_data(context, name, plan.config)
    stored = plan.checkpoint.config.get("data", {}).get("name")
    moved = name if name != stored else None
    return find_run_data(context, plan.config, plan.checkpoint.data, moved)


def write_sheet(setup: TrainSetup, run: RunDirectory) -> None:
    """``plots/images.png``: what the network is about to see, for the report."""
    shown: list[Any] = []
    batches = setup.train.epoch(0, total_epochs=max(1, setup.config.train.epochs))
    for batch in batches:
        assert isinstance(batch, Batch)
        shown += batch_images(batch, setup.classes)
        if len(shown) >= _SHEET:
            break
    if isinstance(batches, Generator):
        batches.close()  # the loader's thread ends with it
    run.plots.mkdir(parents=True, exist_ok=True)
    with replacing_file(run.plots / "images.png") as f:
        f.write(png(contact_sheet(shown[:_SHEET], setup.classes)))
