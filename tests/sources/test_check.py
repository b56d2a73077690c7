"""``check`` names every operation, and what it accepts can be calibrated."""

from __future__ import annotations

import importlib.util
import warnings

import pytest
import torch
from torch import nn

pytest.importorskip("edgectl_tflite")


def write(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(), (torch.zeros(1, 3, 32, 32),), path, dynamo=False, opset_version=13
        )
    return path


def test_every_operation_has_a_verdict(edgectl, place):
    import onnx

    done = edgectl("check", "grid.onnx", "--backend", "tflite")
    assert done.code == 0, done.error
    verdicts = {o["module"]: o["verdict"] for o in done.data["operations"]}
    lasting = ("Conv", "Relu", "Sigmoid", "Transpose")
    nodes = [n for n in onnx.load("grid.onnx").graph.node if n.op_type in lasting]
    names = {n.name.strip("/").replace("/", ".") for n in nodes}
    assert names <= set(verdicts)
    assert sum(done.data["counts"].values()) == len(done.data["operations"])
    assert {v for k, v in verdicts.items() if "Concat" in k or "Transpose" in k} == {"cut"}
    assert all(o["fix"] for o in done.data["operations"] if o["verdict"] == "refused")


def test_what_cannot_run_is_a_failed_gate(edgectl, tmp_path, place):
    class Cube(nn.Module):
        def forward(self, x):
            return torch.sin(x)

    done = edgectl("check", write(Cube(), tmp_path / "cube.onnx"), "--backend", "tflite")
    assert done.code == 4
    assert [o["verdict"] for o in done.data["operations"]] == ["refused"]
    assert "cube.onnx" in done.data["operations"][0]["module"] + done.error["message"]


@pytest.mark.parametrize("model", ["classes.pt2", "nets.py:classes"])
def test_every_way_in_can_be_checked(edgectl, place, model):
    size = ("--imgsz", "32") if ":" in model else ()
    done = edgectl("check", model, *size, "--backend", "tflite")
    assert (done.code, set(done.data["counts"])) == (0, {"runs"})


def test_timm_networks_need_no_weights_to_be_checked(edgectl, place):
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed")
    done = edgectl("check", "timm:lcnet_035", "--imgsz", "64", "--backend", "tflite")
    assert done.code == 0, done.error


def test_torchvision_networks_need_no_weights_to_be_checked(edgectl, place):
    done = edgectl("check", "torchvision:resnet18", "--imgsz", "64", "--backend", "tflite")
    assert done.code == 0, done.error
    assert edgectl("check", "torchvision:resnet", "--imgsz", "64").code == 2


def test_other_networks_are_profiled_and_timed(edgectl, place):
    """A multiplication with its addition an element of each filter, a position of each output."""
    found = edgectl("profile", "classes.onnx")
    assert found.code == 0, found.error
    assert found.data["macs"] == 8 * 3 * 9 * 16 * 16 + 8 * 2
    same = edgectl("profile", "nets.py:classes", "--imgsz", "32")
    assert same.data["macs"] == found.data["macs"]
    timed = edgectl("bench", "nets.py:classes", "--imgsz", "32", "--seconds", "0.05")
    assert timed.code == 0, timed.error
    assert timed.data["rows"][0]["backend"] == "torch"
