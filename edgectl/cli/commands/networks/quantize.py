"""``edgectl quantize``: export, for a network that is none of the families."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from edgectl.cli.commands.export import make_command

if TYPE_CHECKING:
    from edgectl.artifacts.artifact import Artifact

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl quantize yolov8n.onnx --backend tflite --calib ./images --data coco128 --decode yolov8

edgectl quantize nets.py:build --weights best.pth --imgsz 224 --mean 128 --std 128 --backend c --calib DIR

edgectl quantize timm:mobilenetv4_conv_small --weights best.pth --backend tflite --calib ./images

'edgectl check' says beforehand what becomes of every operation. Exit code 4 when the file loses more than
quant.max_drop of the main metric."""


_MODEL = typer.Argument(
    help="Network of another program (.onnx, .pt2, module:function, timm:NAME, torchvision:NAME, a "
    "family's weights) or int8 model file."
)


def _load_quantize() -> Callable[..., Artifact]:
    from edgectl.workflows.export import quantize

    return quantize


app.command(
    "quantize",
    epilog=_EPILOG,
    help="Write a network of another program in a device's integers, and prove it.",
)(make_command(_MODEL, _load_quantize))
