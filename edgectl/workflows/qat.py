"""Trains on in the backend's integer arithmetic, then exports."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.errors import GateFailedError, UsageError
from edgectl.export.gate import require_gate
from edgectl.runs.rundir import require_idle
from edgectl.train.distributed.launch import OUTCOMES, Machines, check_machines
from edgectl.train.distributed.processes import Processes
from edgectl.workflows.arguments import (
    PathLike,
    Settings,
    nest,
    read_path,
    read_settings,
    spell_options,
)
from edgectl.workflows.console import Console
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.train import Run
from edgectl.workflows.training.launch import launch_command
from edgectl.workflows.training.qat import (
    QatPlan,
    plan_new_qat,
    plan_qat_resume,
    resolve_settings,
    train_and_export,
)

_KEYS = {"epochs": "qat.epochs", "device": "train.device", "devices": "train.devices"}
"""Configuration keys of the options."""


@dataclass(frozen=True)
class QatRun(Run):
    """A finished run of quantization-aware training: ``metrics`` are the file's.

    Attributes:
        artifact: what it exported.
    """

    artifact: Artifact

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``qat --json``."""
        parity, gate = self.artifact.manifest.parity, self.artifact.manifest.gate
        return {
            **super().to_dict(),
            "artifact": str(self.artifact.directory),
            "parity": parity.to_dict(),
            "gate": None if gate is None else gate.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> QatRun:
        """Of a run in processes that reported :meth:`to_dict`."""
        run = Run.from_dict(data)
        return cls(**vars(run), artifact=open_artifact(Path(data["artifact"])))


def qat(
    model: PathLike | None = None,
    *,
    backend: str | None = None,
    epochs: int | None = None,
    device: str | None = None,
    devices: int | None = None,
    resume: PathLike | None = None,
    name: str | None = None,
    data: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
    on_opened: Callable[[Path], None] = lambda run: None,
) -> QatRun:
    """``edgectl qat``: each argument is its option.

    Args:
        model: a run or a checkpoint; default: the latest run.
        backend: whose arithmetic; a resumed run knows it.
        device, devices: default: one CPU, wherever the float run trained.
        resume: a run of this function: it goes on where it stopped, to the bit on a CPU.
        data: where the run's data set is now, if it has moved.
        set: any configuration keys, over those of the run.
        console: whom to tell of the progress; nobody by default.
        on_opened: called with the run's directory once it exists.

    Raises:
        UsageError: a model or backend that does not go.
        InterruptedRunError: Ctrl-C, with a checkpoint written.
        GateFailedError: the file lost too much. The run is kept, and is the error's ``result``.
    """
    options = {"epochs": epochs, "device": device, "devices": devices}
    context, settings = open_context(console, offline), read_settings(set)
    flags = nest({_KEYS[option]: value for option, value in options.items()})
    if resume is not None:
        if model is not None or name is not None:
            raise UsageError(
                "a resumed run keeps its name and its model", fix="leave --name and MODEL out"
            )
        require_idle(Path(resume))
        plan = plan_qat_resume(context, Path(resume), backend, flags, settings)
    elif backend is None:
        raise UsageError("which backend?", where="--backend", fix="one of 'edgectl plugins list'")
    else:
        plan = plan_new_qat(context, read_path(model), backend, flags, settings, name)
    plan = replace(plan, data=None if data is None else str(data))
    more = {"backend": backend, "resume": resume, "name": name, "data": data, "set": settings}
    words = ["qat", *([] if model is None else [str(model)]), *spell_options({**options, **more})]
    return _require_gate(_run(context, plan, words, on_opened))


def _run(
    context: Context, plan: QatPlan, words: list[str], on_opened: Callable[[Path], None]
) -> QatRun:
    """Here, where one process is enough or this is one of them; else once a device."""
    config = resolve_settings(plan).train
    machines, processes = Machines(config.devices), Processes.from_environment()
    if processes.is_distributed or machines.world == 1:
        fit, artifact, seconds = train_and_export(
            context, plan, processes, lambda run: on_opened(run.path)
        )
        scored = artifact.manifest.metrics
        return QatRun(
            path=fit.run,
            best=fit.best,
            last=fit.last,
            epochs=fit.epochs,
            seconds=seconds,
            images_per_second=fit.images_per_second,
            metrics=scored.file.metrics if scored is not None else {},
            artifact=artifact,
        )
    check_machines(machines, config)
    return QatRun.from_dict(launch_command(context, machines, words, config.threads))


def _require_gate(found: QatRun) -> QatRun:
    if OUTCOMES in os.environ:
        return found  # the process that launched this one judges
    artifact = found.artifact
    try:
        require_gate(
            artifact.manifest,
            artifact.directory,
            f"edgectl qat --backend {artifact.backend} with more --epochs, or more calibration images",
        )
    except GateFailedError as e:
        e.result = found
        raise
    return found
