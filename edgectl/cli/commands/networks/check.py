"""``edgectl check``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from edgectl.cli.commands.networks.options import with_network_options
from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl check yolov8n.onnx

edgectl check timm:mobilenetv4_conv_small --backend tflite

Exit code 4 when an operation is refused."""


@app.command(epilog=_EPILOG)
@with_network_options
def check(
    ctx: typer.Context,
    model: Path | None = typer.Argument(
        None, help="Whatever export takes; weights are not needed. Default: the latest run."
    ),
    backend: str | None = typer.Option(None, help="Whose limits are looked at too."),
    imgsz: str | None = typer.Option(None, help="Of a network that leaves it open."),
    everything: bool = typer.Option(False, "--all", help="Operations that run, too."),
    *,
    network: dict[str, Any],
) -> None:
    """Every operation of a network: runs, rewritten, cut, refused; without calibration."""
    session: Session = ctx.obj

    from edgectl.cli.views.check import say_checked
    from edgectl.workflows.networks.check import check_network as run

    session.deliver(
        lambda: run(
            model,
            backend=backend,
            imgsz=imgsz,
            console=session,
            offline=session.offline,
            **network,
        ),
        lambda session, found: say_checked(session, found, everything=everything),
    )
