"""``edgectl bench``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl bench                                         every artifact under runs/

edgectl bench runs/train/fomo-001/export/tflite-int8 squeezenet.param

Latency is this machine's, on the file's first runtime; the metric is what the export measured."""


@app.command(epilog=_EPILOG)
def bench(
    ctx: typer.Context,
    models: list[Path] = typer.Argument(None, help="Artifacts, checkpoints or bare model files."),
    runtime: str | None = typer.Option(None, help="Instead of each backend's first."),
    imgsz: str | None = typer.Option(None, help="Of bare files that state no input size."),
    seconds: float = typer.Option(1.0, min=0.05, max=60.0, help="A model."),
    device: str | None = typer.Option(
        None, help="Where checkpoints run: cpu (default), cuda, npu, mps, xpu."
    ),
) -> None:
    """Latency, size, memory and metric, one table."""
    session: Session = ctx.obj

    from edgectl.cli.views.bench import say_rows
    from edgectl.workflows.bench import bench as run

    session.deliver(
        lambda: run(
            models or [],
            runtime=runtime,
            imgsz=imgsz,
            seconds=seconds,
            device=device,
            console=session,
            offline=session.offline,
        ),
        say_rows,
    )
