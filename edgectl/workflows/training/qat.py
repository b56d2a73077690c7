"""Quantization-aware training: a new run from a checkpoint, or one that goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import Artifact
from edgectl.config.schema import RunConfig
from edgectl.errors import ArtifactError, UsageError
from edgectl.export.request import ExportRequest
from edgectl.qat.checkpoint import QuantizedCheckpoint
from edgectl.qat.train import require_trainable, run_qat
from edgectl.qat.trainee import derive_settings
from edgectl.runs.rundir import (
    RunDirectory,
    create_run,
    hold_run,
    keep_if_resumable,
    pointed_at,
    set_latest,
    through_latest,
)
from edgectl.train.device import choose_device
from edgectl.train.distributed.processes import Processes
from edgectl.train.result import FitResult
from edgectl.workflows.export_request import make_request
from edgectl.workflows.opening.configuration import apply_overrides
from edgectl.workflows.opening.context import Context
from edgectl.workflows.opening.models import OpenModel, open_model


@dataclass(frozen=True)
class QatPlan:
    """What to train for which backend, before any data is read.

    Attributes:
        flags, assignments: of the caller, over the configuration.
        run, checkpoint: of the run to continue.
        name: of the one to begin.
        data: where the run's data set is now, if it has moved.
    """

    model: OpenModel
    backend: str
    flags: dict[str, Any]
    assignments: list[str]
    run: RunDirectory | None = None
    checkpoint: QuantizedCheckpoint | None = None
    name: str | None = None
    data: str | None = None


def plan_new_qat(
    context: Context,
    model: Path | None,
    backend: str,
    flags: dict[str, Any],
    assignments: list[str],
    name: str | None = None,
) -> QatPlan:
    """A new run from ``model``: a run, a checkpoint, or the latest run."""
    opened = open_model(context.registry, model, prefer_artifact=False)
    if opened.source is not None and opened.artifact is None:
        opened = _with_config(opened, _on_one_cpu(opened.source.config))
    return QatPlan(opened, backend, flags, assignments, name=name)


def plan_qat_resume(
    context: Context,
    run: Path,
    backend: str | None,
    flags: dict[str, Any],
    assignments: list[str],
) -> QatPlan:
    """Continues a run from its ``last.pt``, with the configuration it began with.

    Raises:
        UsageError: no such run, or it trains for another backend.
        ArtifactError: the float model it began with is gone.
    """
    directory = RunDirectory(through_latest(run))
    if not directory.last.is_file():
        raise UsageError(
            "no checkpoint to resume from", where=str(directory.last), fix="name a run directory"
        )
    checkpoint = QuantizedCheckpoint.load(directory.last)
    if backend and backend != checkpoint.backend:
        raise UsageError(
            f"the run trains for {checkpoint.backend}, not {backend}",
            where=str(run),
            fix=f"edgectl qat --resume {run}",
        )
    origin = Path(checkpoint.model["path"])
    if not origin.is_file():
        raise ArtifactError(
            f"the float model of the run is gone: {origin}",
            where=str(run),
            fix="put it back, and resume in the directory the run began in",
        )
    opened = open_model(context.registry, origin, prefer_artifact=False)
    stored = RunConfig.model_validate(checkpoint.config, strict=False)
    opened = _with_config(opened, _on_one_cpu(stored))
    return QatPlan(opened, checkpoint.backend, flags, assignments, directory, checkpoint)


def train_and_export(
    context: Context,
    plan: QatPlan,
    processes: Processes = Processes(),
    on_opened: Callable[[RunDirectory], None] = lambda run: None,
) -> tuple[FitResult, Artifact, float]:
    """Alone or as one of several processes; returns the run, the file and the seconds it took in all.

    Args:
        on_opened: called once there is a run directory, before the calibration.
    """
    began = time.perf_counter()
    config, runs = resolve_settings(plan), (Path.cwd() / "runs").resolve()
    if processes.is_distributed:
        processes.join(choose_device(config.train.device), config.train.peer_timeout)
    with processes.rank0_first():
        request: ExportRequest[Any] = make_request(
            context,
            plan.model,
            plan.backend,
            data=plan.data,
            flags=plan.flags,
            assignments=plan.assignments,
        )
    if request.source.config.quant.point_offset is not None:
        raise UsageError(
            "qat trains boxes from the points the network was trained with",
            where="quant.point_offset",
            fix="train with the device's points, where the family can: --set model.prior_offset=0.5",
        )
    device = choose_device(config.train.device)
    request = replace(request, source=request.source.on(device))
    require_trainable(request)
    run = _open_run(plan, processes)
    on_opened(run)
    request = replace(request, out=run.path / "export" / f"{plan.backend}-int8")
    # of several processes, what each wrote lies in the run and says why it ended
    alone = plan.run is None and not processes.is_distributed
    with (
        hold_run(run) if processes.is_main else nullcontext(),
        keep_if_resumable(run, pointed_at()) if alone else nullcontext(),
    ):
        fit, artifact = run_qat(
            request,
            run,
            origin=str(plan.model.location.path),
            reporter=context.console.reporter(),
            processes=processes,
            resume=plan.checkpoint,
            progress=context.console.note if processes.is_main else lambda _: None,
        )
    if processes.is_main and run.path.resolve().is_relative_to(runs):
        set_latest(run.path.resolve(), root=runs)
    return fit, artifact, time.perf_counter() - began


def resolve_settings(plan: QatPlan) -> RunConfig:
    """The run's configuration, ``[train]`` as the engine will read it."""
    config = apply_overrides(plan.model.config, plan.flags, plan.assignments)
    return config.model_copy(update={"train": derive_settings(config)})


def _open_run(plan: QatPlan, processes: Processes) -> RunDirectory:
    """A new directory, or the one that goes on; made by the first process."""
    path = None if plan.run is None else plan.run.path
    if processes.is_main and path is None:
        path = create_run(plan.model.name, name=plan.name, kind="qat").path
    path = processes.broadcast(path)
    assert path is not None
    return RunDirectory(path)


def _with_config(model: OpenModel, config: RunConfig) -> OpenModel:
    assert model.source is not None
    return replace(model, source=model.source.configured(config))


def _on_one_cpu(config: RunConfig) -> RunConfig:
    """Where the float run trained says nothing of where this one does."""
    train = config.train.model_copy(update={"device": "cpu", "devices": 1})
    return config.model_copy(update={"train": train})
