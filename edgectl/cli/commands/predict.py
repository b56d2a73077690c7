"""``edgectl predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from edgectl.cli.commands.networks.options import with_network_options
from edgectl.cli.session import Session
from edgectl.errors import UsageError

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl predict image.jpg                            with the latest run's exported file

edgectl predict runs/train/rtmdet-001 ./images --out ./seen

edgectl predict runs/train/rtmdet-001 film.mp4 --out ./seen --every 5"""


@app.command(epilog=_EPILOG)
@with_network_options
def predict(
    ctx: typer.Context,
    words: list[Path] = typer.Argument(help="[MODEL] and an image, a directory or a video."),
    out: Path | None = typer.Option(None, help="Directory for images with what was found."),
    runtime: str | None = typer.Option(None, help="One of the backend's runtimes."),
    threshold: float | None = typer.Option(
        None, min=0.0, max=1.0, help="Instead of the operating point; detectors: 0.3."
    ),
    every: int = typer.Option(1, min=1, help="Of a video: every so manyeth frame."),
    device: str | None = typer.Option(
        None, help="Where a checkpoint runs: cpu (default), cuda, npu, mps, xpu."
    ),
    imgsz: str | None = typer.Option(None, help="Of a network that leaves it open."),
    *,
    network: dict[str, Any],
) -> None:
    """Run a model on images of your own."""
    session: Session = ctx.obj
    if len(words) > 2:
        raise UsageError("one model and one source at a time", fix="edgectl predict [MODEL] SOURCE")

    from edgectl.cli.views.predict import say_prediction
    from edgectl.workflows.predict import Prediction
    from edgectl.workflows.predict import predict as run

    def show(prediction: Prediction) -> None:
        if not session.json:
            say_prediction(session, prediction)

    # each image is shown when it is done: a film takes its time
    session.deliver(
        lambda: run(
            words[0] if len(words) == 2 else None,
            words[-1],
            out=out,
            runtime=runtime,
            threshold=threshold,
            every=every,
            device=device,
            console=session,
            imgsz=imgsz,
            offline=session.offline,
            **network,
            on_image=show,
        ),
        lambda session, found: None,
    )
