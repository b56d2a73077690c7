"""``edgectl qat``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.session import Session

if TYPE_CHECKING:
    from edgectl.export.request import ExportRequest
    from edgectl.qat.train import QatResult
    from edgectl.runs.rundir import RunDirectory
    from edgectl.workflows.opening.models import OpenModel

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl qat --backend tflite

edgectl qat runs/train/fomo-001 --backend tflite --epochs 10 --set qat.lr=0.0005"""


@app.command(epilog=_EPILOG)
def qat(
    ctx: typer.Context,
    model: Path | None = typer.Argument(None, help="Run or checkpoint; default: the latest run."),
    backend: str = typer.Option(..., help="One of 'edgectl plugins list'."),
    epochs: int | None = typer.Option(None, min=1),
    name: str | None = typer.Option(None, help="Name of the run directory."),
    assignments: list[str] = typer.Option([], "--set", help="Any configuration key: a.b=c."),
) -> None:
    """Train in the backend's integer arithmetic, then export."""
    session: Session = ctx.obj

    from dataclasses import replace

    from edgectl.cli.commands.export import say_artifact
    from edgectl.qat.train import run_qat
    from edgectl.runs.rundir import create_run, keep_if_resumable, pointed_at, set_latest
    from edgectl.workflows.export_request import make_request
    from edgectl.workflows.opening.models import open_model

    context = session.open_context()
    opened = open_model(context.registry, model, prefer_artifact=False)
    flags: dict[str, Any] = {"qat": {"epochs": epochs}} if epochs else {}
    request = make_request(context, opened, backend, flags=flags, assignments=assignments)
    run = create_run(opened.family.info.name, name=name, kind="qat")
    request = replace(request, out=run.path / "export" / f"{backend}-int8")
    with keep_if_resumable(run, pointed_at()):
        result = run_qat(
            request,
            on_epoch=lambda e: session.note(f"epoch {e.epoch}/{e.epochs}  loss {e.loss:.4f}"),
            progress=session.note,
        )
        record(run, request, opened, result)
    set_latest(run.path)
    session.data = document(run, result)
    if not session.json:
        say_artifact(session, result.artifact)
    if result.failure is not None:
        raise result.failure


def record(
    run: RunDirectory, request: ExportRequest[Any], model: OpenModel, result: QatResult
) -> None:
    """Leaves in the run directory what a training run leaves."""
    import torch

    from edgectl.files import replacing_file
    from edgectl.qat.train import state_of
    from edgectl.runs.events import EventLog
    from edgectl.runs.provenance import provenance

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


def document(run: RunDirectory, result: QatResult) -> dict[str, Any]:
    """``data`` of ``qat --json``."""
    manifest = result.artifact.manifest
    scored, gate = manifest.metrics, manifest.gate
    images = sum(e.images_per_second for e in result.epochs) / len(result.epochs)
    return {
        "run": str(run.path),
        "best": str(run.last),
        "last": str(run.last),
        "epochs": len(result.epochs),
        "seconds": round(result.seconds, 2),
        "images_per_second": round(images, 1),
        "metrics": scored.file.metrics if scored is not None else {},
        "artifact": str(result.artifact.directory),
        "parity": manifest.parity.to_dict(),
        "gate": None if gate is None else gate.to_dict(),
    }
