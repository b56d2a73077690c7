"""Networks of other programs through the line: exported, compared with their own outputs, scored, refused."""

from __future__ import annotations

import json

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

pytest.importorskip("edgectl_tflite")
FAST = ("--set", "quant.seconds=0", "--set", "quant.max_drop=1.0")
UNIT = ("--mean", "0", "--std", "255")
CLASSIFY = (*UNIT, "--decode", "classify", "--data", "set")


def export(edgectl, out, *words):
    return edgectl("export", *words, "--backend", "tflite", "--out", out, *FAST)


def test_an_onnx_file_is_exported_with_its_tail_and_agrees(edgectl, out, place):
    done = export(edgectl, out, "grid.onnx", "--calib", "images", *UNIT)
    assert done.code == 0, done.error
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["family"], manifest["task"], manifest["tail"]) == (
        "network",
        "tensors",
        "tail.onnx",
    )
    assert done.data["metrics"]["file"]["metrics"]["agreement"] > 0.95
    found = edgectl("eval", out, "--data", "images")
    assert found.code == 0, found.error
    assert found.data["metrics"]["agreement"] > 0.95


def test_the_tail_makes_the_networks_own_outputs(edgectl, out, place):
    """fp32: what is left is rounding of floats, so the outputs are onnxruntime's own."""
    done = export(edgectl, out, "grid.onnx", *UNIT, "--precision", "fp32")
    assert done.code == 0, done.error
    seen = edgectl("predict", out, "images/0.png").data["results"][0]["found"]
    image = cv2.resize(cv2.imread("images/0.png"), (32, 32), interpolation=cv2.INTER_AREA)
    x = image[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    (want,) = onnxruntime.InferenceSession("grid.onnx").run(None, {"x": x})
    assert seen[0]["shape"] == list(want.shape[1:])
    assert seen[0]["most"] == pytest.approx(want.max(), rel=1e-4)
    assert seen[0]["least"] == pytest.approx(want.min(), rel=1e-4)
    assert seen[0]["index"] == want.argmax()


@pytest.mark.parametrize(
    "model",
    [
        ("classes.onnx",),
        ("classes.pt2",),
        ("nets.py:classes", "--weights", "classes.pth", "--imgsz", "32"),
    ],
    ids=["onnx", "program", "module"],
)
def test_every_way_in_gives_the_same_file(edgectl, out, place, model):
    done = export(edgectl, out, *model, *CLASSIFY)
    assert done.code == 0, done.error
    assert json.loads((out / "manifest.json").read_text())["classes"] == ["dark", "light"]
    scores = edgectl("eval", *model, *CLASSIFY).data["metrics"]
    assert scores["top1"] == done.data["metrics"]["float"]["metrics"]["top1"]
    again = edgectl("eval", out, "--data", "set")
    assert again.code == 0, again.error
    assert again.data["metrics"] == done.data["metrics"]["file"]["metrics"]


def test_boxes_of_yolox_heads_are_those_of_its_papers_formula(edgectl, out, place):
    """cx = (column + dx) * stride, w = exp(dw) * stride, score = class * objectness."""
    words = ("grid.onnx", *UNIT, "--decode", "yolox", "--resize", "stretch", "--threshold", "0.0")
    (found,) = edgectl("predict", *words, "images/0.png").data["results"]
    image = cv2.resize(cv2.imread("images/0.png"), (32, 32), interpolation=cv2.INTER_AREA)
    x = image[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    ((rows,),) = onnxruntime.InferenceSession("grid.onnx").run(None, {"x": x})
    scores = rows[:, 4:5] * rows[:, 5:]
    cell, label = np.unravel_index(scores.argmax(), scores.shape)
    middle = (np.array([cell % 8, cell // 8]) + rows[cell, :2]) * 4
    half = np.exp(rows[cell, 2:4]) * 2
    box = np.concatenate([middle - half, middle + half]) * [40 / 32, 1, 40 / 32, 1]
    assert found["found"][0]["score"] == pytest.approx(scores.max(), abs=1e-4)
    assert found["found"][0]["label"] == str(label)
    assert found["found"][0]["box"] == pytest.approx(np.clip(box, 0, [40, 32, 40, 32]), abs=0.02)


def test_named_heads_are_where_the_network_is_cut(edgectl, out, place):
    import onnx

    conv = next(n for n in onnx.load("grid.onnx").graph.node if "cls" in n.name)
    done = export(
        edgectl, out, "grid.onnx", *UNIT, "--calib", "images", "--outputs", conv.output[0]
    )
    assert done.code == 0, done.error
    manifest = json.loads((out / "manifest.json").read_text())
    assert conv.output[0] in manifest["cut_at"]
    wrong = export(edgectl, out, "grid.onnx", *UNIT, "--calib", "images", "--outputs", "nothing")
    assert (wrong.code, wrong.error["code"]) == (2, "E-USAGE")


@pytest.mark.parametrize(
    "model",
    [("gray.onnx",), ("nets.py:gray", "--imgsz", "32", "--channel-order", "gray")],
    ids=["onnx", "module"],
)
def test_networks_of_gray_images(edgectl, out, place, model):
    """One channel: fed the luma OpenCV computes, by eval, predict and the exported file."""
    done = export(edgectl, out, *model, "--calib", "images", *UNIT, "--precision", "fp32")
    assert done.code == 0, done.error
    spec = json.loads((out / "manifest.json").read_text())["preprocess"]
    assert (spec["channel_order"], spec["mean"], spec["std"]) == ("gray", [0.0], [255.0])
    seen = edgectl("predict", out, "images/0.png").data["results"][0]["found"]
    image = cv2.cvtColor(cv2.imread("images/0.png"), cv2.COLOR_BGR2GRAY)
    image = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    x = image[None, None].astype(np.float32) / 255
    (want,) = onnxruntime.InferenceSession("gray.onnx").run(None, {"x": x})
    assert seen[0]["most"] == pytest.approx(want.max(), rel=1e-3)
    assert seen[0]["index"] == want.argmax()


REFUSALS = {
    "gray for a network of color": (
        ("classes.onnx", *UNIT, "--channel-order", "gray"),
        2,
        "3 chan",
    ),
    "jit": (("jit.pt", *UNIT), 5, "TorchScript"),
    "weights alone": (("classes.pth", *UNIT), 2, "--family"),
    "no such function": (("nets.py:nothing", *UNIT, "--imgsz", "32"), 2, "nothing"),
    "code that fails": (("nets.py:broken", *UNIT, "--imgsz", "32"), 2, "no luck"),
    "no network": (("nets.py:number", *UNIT, "--imgsz", "32"), 2, "int"),
    "no size": (("nets.py:classes", *UNIT), 2, "--imgsz"),
    "no normalization": (("classes.onnx",), 2, "--mean"),
    "half of it": (("classes.onnx", "--mean", "0"), 2, "--std"),
    "unknown rule": (("classes.onnx", *UNIT, "--decode", "yolo"), 2, "yolox"),
    "another rule's heads": (("classes.onnx", *UNIT, "--decode", "yolox"), 2, "agreement"),
    "wrong size": (("classes.onnx", *UNIT, "--imgsz", "64"), 2, "32x32"),
    "too few names": (
        ("classes.onnx", *UNIT, "--decode", "classify", "--classes", "a"),
        2,
        "names",
    ),
    "keras": (("nets.h5",), 2, "ONNX"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_not_taken_is_refused_with_the_way_out(edgectl, out, place, case):
    words, code, hint = REFUSALS[case]
    (place / "nets.h5").write_bytes(b"x")
    done = export(edgectl, out, *words, "--calib", "images")
    assert done.code == code, done.error
    assert hint in f"{done.error['message']} {done.error['fix']}"
    assert not out.exists()


def test_a_checkpoint_takes_no_word_on_its_preparation(edgectl, place, tmp_path):
    done = edgectl("eval", tmp_path, "--mean", "0", "--std", "1")
    assert done.code == 2


def test_weights_of_another_network_are_named(edgectl, out, place):
    torch.save({"body.0.weight": torch.zeros(8, 3, 3, 3)}, place / "other.pth")
    done = export(
        edgectl,
        out,
        "nets.py:classes",
        "--weights",
        "other.pth",
        "--imgsz",
        "32",
        *UNIT,
        "--calib",
        "images",
    )
    assert (done.code, "body.0.bias" in done.error["message"]) == (5, True)
