"""``edgectl export``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.commands.networks.options import with_network_options
from edgectl.cli.session import Session

if TYPE_CHECKING:
    from edgectl.artifacts.artifact import Artifact

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl export --backend tflite

edgectl export runs/train/fomo-001 --backend tflite --calib ./images --calib-images 200

edgectl export yolov8n.onnx --backend tflite --calib ./images --data coco128 --decode yolov8

edgectl export model.tflite --backend c

edgectl export --backend BACKEND --plan

A backend that needs its vendor's compiler finds it through \\[tools.NAME] in edgectl.toml, 'edgectl tools
setup' or PATH; without it the plan is complete and the exit code is 3 (0 with --plan).

Exit code 4 when the file loses more than quant.max_drop of the main metric; it is kept all the same."""


def make_command(argument: Any, load: Callable[[], Callable[..., Artifact]]) -> Callable[..., None]:
    """``export`` and ``quantize``: the same options, and one function each.

    Args:
        argument: what MODEL may be.
        load: imports the function of the package, when the command runs.
    """

    @with_network_options
    def command(
        ctx: typer.Context,
        model: Path | None = argument,
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
        session: Session = ctx.obj

        from edgectl.cli.views.export import say_artifact

        session.deliver(
            lambda: load()(
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

    return command


def _load_export() -> Callable[..., Artifact]:
    from edgectl.workflows.export import export

    return export


_MODEL = typer.Argument(
    None,
    help="Run, checkpoint, network of another program (.onnx, .pt2, module:function, timm:NAME, "
    "torchvision:NAME, a family's weights) or int8 model file; default: the latest run.",
)
app.command("export", epilog=_EPILOG, help="Write the file that ships, and prove it.")(
    make_command(_MODEL, _load_export)
)
