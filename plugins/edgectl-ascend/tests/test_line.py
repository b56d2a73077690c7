"""Export, scoring and deployment through the command line, with stand-ins for CANN's programs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from edgectl_ascend.aipp import read_aipp
from edgectl_ascend.backend import AscendBackend
from edgectl_ascend.capabilities import REFUSED, check_network
from edgectl_ascend.config import AscendConfig

from edgectl.artifacts.artifact import read_manifest
from edgectl.backends.network import Network
from edgectl.config.trust import trust
from edgectl.spec import OutputSpec, PreprocessSpec

RUNS = "runs/train"
INT8 = ["--precision", "int8"]


@pytest.mark.parametrize("family", ["fomo", "rtmdet"])
def test_a_plan_walks_through_every_file(project: Any, family: str) -> None:
    words = ["export", f"{RUNS}/{family}", "--backend", "ascend"]
    code, document = project.call(*words, "--plan")
    assert code == 0, document["error"]
    data = document["data"]
    assert data["status"] == "planned" and data["precision"] == "fp16"
    artifact = Path(data["artifact"])
    assert {f["path"] for f in data["files"]} == {
        "README.md",
        "aipp.cfg",
        "build.sh",
        "labels.txt",
        "model.onnx",
    }
    aipp = read_aipp((artifact / "aipp.cfg").read_text())
    assert (aipp.number("src_image_size_h", 0), aipp.number("src_image_size_w", 0)) == (64, 64)
    model = onnx.load(artifact / "model.onnx")
    assert model.opset_import[0].version == 13
    assert all(n.name for n in model.graph.node)
    command = (artifact / "build.sh").read_text()
    assert "atc --model=model.onnx --framework=5 --output=model --input_format=NCHW" in command
    assert "--input_shape=images:1,3,64,64 --soc_version=Ascend310B4" in command
    assert subprocess.run(["sh", "-n", artifact / "build.sh"], check=False).returncode == 0
    readme = (artifact / "README.md").read_text()
    assert "do not normalize again" in readme and "./build.sh" in readme
    # the same without --plan: kept, and the exit code says that something is missing
    code, document = project.call(*words)
    assert code == 3 and "atc" in document["error"]["message"]


@pytest.mark.parametrize("family", ["fomo", "rtmdet"])
def test_built_run_and_scored(project: Any, family: str) -> None:
    project.with_tools("atc", "ais_bench")
    code, document = project.call("export", f"{RUNS}/{family}", "--backend", "ascend")
    assert code == 0, document["error"]
    data = document["data"]
    assert data["status"] == "built"
    assert data["parity"]["runtimes"]["acl"]["heads_max_abs"] < 1e-3
    assert data["metrics"]["file"]["model"]["runtime"] == "acl"


def test_int8_is_amct_then_atc(project: Any) -> None:
    words = ["export", f"{RUNS}/fomo", "--backend", "ascend", *INT8]
    project.with_tools("atc")
    code, document = project.call(*words)
    assert code == 3 and "amct" in document["error"]["message"]
    project.with_tools("atc", "amct", "ais_bench")
    code, document = project.call(*words)
    assert code == 0, document["error"]
    names = {f["path"] for f in document["data"]["files"]}
    assert {"model_fake_quant_model.onnx", "model_deploy_model.onnx", "model.om"} <= names
    script = (Path(document["data"]["artifact"]) / "build.sh").read_text()
    assert "python3 quantize.py &&\natc --model=model_deploy_model.onnx" in script


def test_calibration_is_the_networks_own_input(project: Any) -> None:
    import torch

    from edgectl.data.images.preprocess import decode, normalize, resize_image

    code, document = project.call(
        "export", f"{RUNS}/rtmdet", "--backend", "ascend", *INT8, "--plan"
    )
    assert code == 0, document["error"]
    artifact = Path(document["data"]["artifact"])
    manifest = read_manifest(artifact / "manifest.json")
    spec = manifest.preprocess
    array = np.load(artifact / "calibration.npy")
    for x, name in zip(array, manifest.calibration.names, strict=True):
        image, _ = resize_image(decode(Path("set", "train", name)), spec)
        expected = normalize(torch.from_numpy(image).permute(2, 0, 1)[None], spec)[0].numpy()
        np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    ("setting", "message", "fix"),
    [
        ("soc=Ascend310B5", "unknown chip", "did you mean"),
        ("opset=17", "opset", None),
        ("input_format=BGR", "input_format", None),
    ],
)
def test_settings_atc_would_refuse(project: Any, setting: str, message: str, fix: Any) -> None:
    project.with_tools("atc")
    words = ["export", f"{RUNS}/fomo", "--backend", "ascend", "--out", "refused"]
    code, document = project.call(*words, "--set", f"backend.ascend.{setting}")
    assert code == 2 and message in document["error"]["message"]
    assert fix is None or fix in document["error"]["fix"]
    assert not Path("refused").exists() and not Path("refused.log").exists()


def test_int8_wants_the_opset_amct_reads(project: Any) -> None:
    words = ["export", f"{RUNS}/fomo", "--backend", "ascend", "--precision", "int8", "--plan"]
    code, document = project.call(*words, "--set", "backend.ascend.opset=13")
    assert code == 2 and "AMCT reads opset 11" in document["error"]["message"]


def network(tmp_path: Path, op: str, shape: list[Any]) -> Network:
    node = onnx.helper.make_node(op, ["images"], ["y"], name=f"/neck/top/{op}", domain="")
    ends = [
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape)
        for n in ("images", "y")
    ]
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "m.onnx")
    spec = PreprocessSpec((8, 8))
    outputs = (OutputSpec("y", "class_logits", 8, 3),)
    return Network(tmp_path / "m.onnx", spec, outputs, ("a",), None)


@pytest.mark.parametrize("op", sorted(REFUSED))
def test_operations_atc_lacks_are_named_with_their_module(tmp_path: Path, op: str) -> None:
    (issue,) = check_network(_parsed(network(tmp_path, op, [1, 3, 8, 8])))
    assert issue == f"neck.top: atc has no {op}; use {REFUSED[op]}"


def _parsed(made: Network) -> Network:
    # shape inference stops at operations made up without their attributes; the table is what is tested
    made.__dict__["model"] = onnx.load(made.file)
    return made


def test_dynamic_shapes_are_refused(tmp_path: Path) -> None:
    made = network(tmp_path, "Relu", ["batch", 3, 8, 8])
    issues = AscendBackend().check(made, precision="fp16", config=AscendConfig())
    assert issues and all("dynamic shape" in i for i in issues)


def test_atc_fails(project: Any) -> None:
    (project.path / "broken").write_text("#!/bin/sh\necho E19010: no parser for Foo\nexit 1\n")
    (project.path / "broken").chmod(0o755)
    text = f'[tools.atc]\ncommand = "{project.path / "broken"}"\n'
    (project.path / "edgectl.toml").write_text(text)
    trust(project.path)
    words = ["export", f"{RUNS}/fomo", "--backend", "ascend", "--out", "failed"]
    code, document = project.call(*words)
    assert code == 1
    assert "E19010" in document["error"]["message"] and "failed.log" in document["error"]["message"]
    assert not Path("failed").exists()


@pytest.mark.parametrize("family", ["fomo", "rtmdet"])
def test_the_board_s_program_finds_what_evaluation_finds(
    project: Any, tmp_path: Path, family: str
) -> None:
    project.with_tools("atc", "ais_bench")
    code, document = project.call("export", f"{RUNS}/{family}", "--backend", "ascend")
    assert code == 0, document["error"]
    artifact = document["data"]["artifact"]
    bundle = tmp_path / "bundle"
    words = ["deploy", artifact, "--target", "atlas-200i-dk", "--out", str(bundle)]
    code, document = project.call(*words)
    assert code == 0, document["error"]
    image = next(Path("set", "valid").glob("*.jpg")).resolve()
    assert cv2.imread(str(image)) is not None

    def program(*arguments: str) -> str:
        done = subprocess.run(
            [project.path / "python", "main.py", *arguments],
            cwd=bundle,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    golden = program("--golden").splitlines()
    assert golden[0] == "measured on acl" and len(golden) == 6
    assert all("(0.0 %)" in line for line in golden[1:-1])
    assert golden[-1] == "self-test passed"
    if family == "rtmdet":
        return  # one epoch: boxes without area, of which every suppression makes what it will
    found = program(str(image), "--threshold", "0.0").splitlines()
    code, document = project.call("predict", artifact, str(image), "--threshold", "0.0")
    assert code == 0
    wanted = document["data"]["results"][0]["found"]
    shown = [line.split() for line in found[1:]]
    for label, score, *_ in shown[:5]:
        assert any(r["label"] == label and abs(r["score"] - float(score)) < 0.006 for r in wanted)
    scores = [float(w[1]) for w in shown]
    assert scores == pytest.approx([r["score"] for r in wanted][: len(scores)], abs=0.006)


def test_deploying_a_plan_wants_the_om(project: Any, tmp_path: Path) -> None:
    words = ["export", f"{RUNS}/fomo", "--backend", "ascend", "--plan", "--out", "plan"]
    assert project.call(*words)[0] == 0
    target = ["deploy", "plan", "--target", "atlas-200i-dk", "--out", str(tmp_path / "b")]
    code, document = project.call(*target)
    assert code == 2 and "--converted model.om" in document["error"]["fix"]
    (tmp_path / "model.om").write_bytes(b"om")
    code, document = project.call(*target, "--converted", str(tmp_path / "model.om"))
    assert code == 0, document["error"]
    code, document = project.call("deploy", "plan", "--target", "atlas-800t", "--out", "x")
    assert code == 2 and "soc=Ascend910B3" in document["error"]["fix"]
