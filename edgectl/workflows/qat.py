"""Trains on in the backend's integer arithmetic, then exports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from edgectl.artifacts.artifact import Artifact
from edgectl.export.request import ExportRequest
from edgectl.files import replacing_file
from edgectl.qat.train import QatResult, run_qat, state_of
from edgectl.runs.events import EventLog
from edgectl.runs.provenance import provenance
from edgectl.runs.rundir import RunDirectory, create_run, keep_if_resumable, pointed_at, set_latest
from edgectl.workflows.arguments import PathLike, Settings, read_path, read_settings
from edgectl.workflows.console import Console
from edgectl.workflows.export_request import make_request
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.models import OpenModel, open_model
from edgectl.workflows.train import Run


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


def qat(
    model: PathLike | None = None,
    *,
    backend: str,
    epochs: int | None = None,
    name: str | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
) -> QatRun:
    """``edgectl qat``: each argument is its option.

    Args:
        model: a run or a checkpoint; default: the latest run.
        set: any configuration keys, over those of the run.
        console: whom to tell of the progress; nobody by default.

    Raises:
        UsageError: a model or backend that does not go.
        GateFailedError: the file lost too much. The run is kept, and is the error's ``result``.
    """
    context = open_context(console, offline)
    opened = open_model(context.registry, read_path(model), prefer_artifact=False)
    flags = {"qat": {"epochs": epochs}} if epochs else {}
    request = make_request(context, opened, backend, flags=flags, assignments=read_settings(set))
    run = create_run(opened.family.info.name, name=name, kind="qat")
    request = replace(request, out=run.path / "export" / f"{backend}-int8")
    note = context.console.note
    with keep_if_resumable(run, pointed_at()):
        result = run_qat(
            request,
            on_epoch=lambda e: note(f"epoch {e.epoch}/{e.epochs}  loss {e.loss:.4f}"),
            progress=note,
        )
        _record(run, request, opened, result)
    set_latest(run.path)
    found = _result(run, result)
    if result.failure is not None:
        result.failure.result = found
        raise result.failure
    return found


def _record(
    run: RunDirectory, request: ExportRequest[Any], model: OpenModel, result: QatResult
) -> None:
    """Leaves in the run directory what a training run leaves."""
    trained = request.trained
    run.write_config(trained.config)
    document = provenance(
        seed=trained.config.train.seed,
        data=trained.checkpoint.data,
        device="cpu",
        precision="int8",
    )
    run.write_provenance({**document, "from": str(model.location.path)})
    log = EventLog(run.events)
    for epoch in result.epochs:
        log.append("epoch", **vars(epoch))
    with replacing_file(run.last) as f:
        torch.save(state_of(result.quantized), f)
    scored = result.artifact.manifest.metrics
    if scored is not None:
        reports = {"float": scored.network.to_dict(), "file": scored.file.to_dict()}
        run.write_metrics({"schema": "edgectl-metrics/1", **reports})


def _result(run: RunDirectory, result: QatResult) -> QatRun:
    scored = result.artifact.manifest.metrics
    images = sum(e.images_per_second for e in result.epochs) / len(result.epochs)
    return QatRun(
        path=run.path,
        best=run.last,
        last=run.last,
        epochs=len(result.epochs),
        seconds=result.seconds,
        images_per_second=images,
        metrics=scored.file.metrics if scored is not None else {},
        artifact=result.artifact,
    )
