"""``edgectl quantize``: export, for a network that is none of the families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from edgectl.cli.commands.networks.options import with_network_options
from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl quantize yolov8n.onnx --backend tflite --calib ./images --data coco128 --decode yolov8

edgectl quantize nets.py:build --weights best.pth --imgsz 224 --mean 128 --std 128 --backend c --calib DIR

edgectl quantize timm:mobilenetv4_conv_small --weights best.pth --backend tflite --calib ./images

'edgectl check' says beforehand what becomes of every operation. Exit code 4 when the file loses more than
quant.max_drop of the main metric."""


@app.command(epilog=_EPILOG)
@with_network_options
def quantize(
    ctx: typer.Context,
    model: Path = typer.Argument(
        help="Network of another program (.onnx, .pt2, module:function, timm:NAME, torchvision:NAME, a "
        "family's weights) or int8 model file."
    ),
    backend: str = typer.Option(..., help="One of 'edgectl plugins list'."),
    precision: str | None = typer.Option(
        None, help="int8, fp16 or fp32; default: what the backend names first, mostly int8."
    ),
    calib: str | None = typer.Option(
        None, help="Calibration images: DATA (its train split) or a directory of images."
    ),
    calib_images: int | None = typer.Option(None, min=1, help="How many."),
    imgsz: str | None = typer.Option(
        None, help="Of a network that leaves it open; of a checkpoint, only to check."
    ),
    plan: bool = typer.Option(
        False, "--plan", help="Everything a vendor's compiler needs, without running it."
    ),
    out: Path | None = typer.Option(
        None, help="Default: RUN/export/BACKEND-PRECISION, or beside the file."
    ),
    data: str | None = typer.Option(
        None, help="Where the run's data set is now; of other networks, images to score on."
    ),
    device: str | None = typer.Option(
        None, help="Where the float network runs: cpu (default), cuda, npu, mps, xpu."
    ),
    assignments: list[str] = typer.Option([], "--set", help="Any configuration key: a.b=c."),
    *,
    network: dict[str, Any],
) -> None:
    """Write a network of another program in a device's integers, and prove it."""
    session: Session = ctx.obj

    from edgectl.cli.views.export import say_artifact
    from edgectl.workflows.export import quantize as run

    session.deliver(
        lambda: run(
            model,
            backend=backend,
            precision=precision,
            calib=calib,
            calib_images=calib_images,
            imgsz=imgsz,
            plan=plan,
            out=out,
            data=data,
            device=device,
            set=assignments,
            console=session,
            offline=session.offline,
            **network,
        ),
        say_artifact,
    )
