"""The commands of docs/bring-your-own-model.md, run on small stand-ins for the files they name."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import warnings
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

pytest.importorskip("edgectl_tflite")
PAGE = Path(__file__).parents[2] / "docs" / "bring-your-own-model.md"
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    for line in block.splitlines()
]
QUICK = ("--set", "quant.seconds=0", "--set", "quant.max_drop=1.0")


class Distributions(nn.Module):
    """The heads of YOLOv8 at one stride, joined as its exporter does it."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.SiLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.SiLU()
        )
        self.box, self.cls = nn.Conv2d(8, 64, 1), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        y = self.stem(x)
        return torch.cat([self.box(y), self.cls(y)], 1).flatten(2)


@pytest.fixture(scope="module")
def files(place):
    """Everything the page names."""
    from edgectl.data.catalog.demo import draw_split

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Distributions().eval(),
            (torch.zeros(1, 3, 32, 32),),
            place / "yolov8n.onnx",
            dynamo=False,
            opset_version=13,
        )
    model = onnx.load(place / "yolov8n.onnx")
    said = {"author": "Ultralytics", "task": "detect", "names": "{0: 'mask', 1: 'no-mask'}"}
    onnx.helper.set_model_props(model, said)
    onnx.save(model, place / "yolov8n.onnx")
    shutil.copy(place / "grid.onnx", place / "yolox.onnx")
    shutil.copytree(place / "set", place / "classes", dirs_exist_ok=True)
    draw_split(place / "boxes" / "train", 8, (0, 0))
    draw_split(place / "boxes" / "valid", 4, (0, 1))
    return place


def save_weights(place, command):
    """Random ones of the network a command names: tens of megabytes, made when they are needed."""
    if "timm:" in command and "--weights" in command:
        import timm

        torch.save(timm.create_model("lcnet_035", num_classes=2).state_dict(), place / "lcnet.pth")
    if "torchvision:" in command:
        from edgectl.nn.vision import vision

        build = vision("models").get_model
        net = build("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None)
        torch.save(net.state_dict(), place / "lraspp.pth")
    if "resnet.pth" in command:
        from edgectl.nn.vision import vision

        net = vision("models").get_model("resnet18", weights=None, num_classes=2)
        torch.save(net.state_dict(), place / "resnet.pth")


def test_the_page_has_the_commands_it_promises():
    verbs = {shlex.split(c)[1] for c in COMMANDS}
    assert verbs == {"check", "export", "quantize", "eval", "predict"}


def run_command(edgectl, place, command):
    if "timm:" in command and importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed")
    from edgectl.nn.vision import vision

    vision()  # before timm imports it
    save_weights(place, command)
    words = shlex.split(command)[1:]
    quick = QUICK if words[0] in ("export", "quantize") else ()
    done = edgectl(*words, *quick)
    assert done.code == 0, (command, done.error)


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c.startswith("edgectl eval yolox.onnx")]
)
def test_the_commands_for_yolox(edgectl, files, command):
    run_command(edgectl, files, command)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command(edgectl, files, command):
    run_command(edgectl, files, command)
