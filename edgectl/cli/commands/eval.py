"""``edgectl eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from edgectl.cli.commands.data.options import IMAGES_HELP
from edgectl.cli.commands.networks.options import with_network_options
from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl eval                                          the latest run: its exported file, else its checkpoint

edgectl eval runs/train/fomo-001/export/tflite-int8 --runtime tflm --gate "f1_drop<=0.01"

Exit code 4 when a gate fails."""


@app.command("eval", epilog=_EPILOG)
@with_network_options
def evaluate(
    ctx: typer.Context,
    model: Path | None = typer.Argument(None, help="Run, checkpoint, artifact or other network."),
    data: str | None = typer.Option(None, help="Default: the data the model was trained on."),
    images: str | None = typer.Option(None, help=IMAGES_HELP),
    split: str | None = typer.Option(None, help="Default: the run's validation split."),
    backend: str | None = typer.Option(None, help="Of a run, the file of this backend."),
    target: str | None = typer.Option(
        None, help="Of a run, the file 'deploy' would take for this board."
    ),
    runtime: str | None = typer.Option(None, help="One of the backend's runtimes."),
    threshold: float | None = typer.Option(
        None, min=0.0, max=1.0, help="Instead of the stored operating point."
    ),
    gate: list[str] = typer.Option([], help='For example "f1>=0.7" or "f1_drop<=0.01".'),
    against: Path | None = typer.Option(
        None, help="Compare with this model; an artifact: with its checkpoint."
    ),
    device: str | None = typer.Option(
        None, help="Where the float network runs: cpu (default), cuda, npu, mps, xpu."
    ),
    imgsz: str | None = typer.Option(None, help="Of a network that leaves it open."),
    *,
    network: dict[str, Any],
) -> None:
    """Score a checkpoint or an exported file."""
    session: Session = ctx.obj

    from edgectl.cli.views.eval import say_evaluation
    from edgectl.workflows.evaluate import evaluate as run

    session.deliver(
        lambda: run(
            model,
            data=data,
            images=images,
            split=split,
            backend=backend,
            target=target,
            runtime=runtime,
            threshold=threshold,
            gate=gate,
            against=against,
            device=device,
            console=session,
            imgsz=imgsz,
            offline=session.offline,
            **network,
        ),
        say_evaluation,
    )
