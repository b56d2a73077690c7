"""``edgectl qat``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

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

    from edgectl.cli.views.export import say_artifact
    from edgectl.workflows.qat import qat as run

    session.deliver(
        lambda: run(
            model,
            backend=backend,
            epochs=epochs,
            name=name,
            set=assignments,
            console=session,
            offline=session.offline,
        ),
        lambda session, found: say_artifact(session, found.artifact),
    )
