"""``edgectl qat``: on one device, or on several."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.ranks import reporting
from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl qat --backend tflite

edgectl qat runs/train/fomo-001 --backend tflite --epochs 10 --set qat.lr=0.0005

edgectl qat --resume runs/qat/fomo-001 --device cuda"""


@app.command(epilog=_EPILOG)
def qat(
    ctx: typer.Context,
    model: Path | None = typer.Argument(None, help="Run or checkpoint; default: the latest run."),
    backend: str | None = typer.Option(None, help="One of 'edgectl plugins list'."),
    epochs: int | None = typer.Option(None, min=1, help="Passes over the training images."),
    device: str | None = typer.Option(None, help="cpu, cuda, npu, mps, xpu; default: cpu."),
    devices: int | None = typer.Option(None, min=1, help="How many train together; default: 1."),
    resume: Path | None = typer.Option(None, help="A run directory of qat: continue it."),
    name: str | None = typer.Option(None, help="Name of the run directory."),
    data: str | None = typer.Option(None, help="Where the run's data set is now, if it has moved."),
    assignments: list[str] = typer.Option([], "--set", help="Any configuration key: a.b=c."),
) -> None:
    """Train in the backend's integer arithmetic, then export."""
    session: Session = ctx.obj
    with reporting(session) as report:
        from edgectl.cli.views.export import say_artifact
        from edgectl.workflows.qat import QatRun
        from edgectl.workflows.qat import qat as run

        def train() -> QatRun:
            found = run(
                model,
                backend=backend,
                epochs=epochs,
                device=device,
                devices=devices,
                resume=resume,
                name=name,
                data=data,
                set=assignments,
                console=session,
                offline=session.offline,
                on_opened=report.opened,
            )
            report.done(found.to_dict())
            return found

        if report.speaks:
            session.deliver(train, lambda session, found: say_artifact(session, found.artifact))
        else:
            train()
