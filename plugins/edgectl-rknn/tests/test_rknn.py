from __future__ import annotations

import io
import json
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from edgectl_rknn.plugin import RKNN_TOOLKIT

from edgectl.__main__ import run
from edgectl.artifacts.artifact import read_manifest, write_manifest
from edgectl.config.trust import trust
from edgectl.data.catalog.demo import draw_split
from edgectl.errors import BackendUnavailableError
from edgectl.toolchains.tool import find_tool

RUN = "runs/train/small"
ARTIFACT = Path(RUN, "export", "rknn-int8")
FAKES = Path(__file__).with_name("fakes")


def call(*words: str) -> tuple[int, dict[str, Any]]:
    with redirect_stdout(io.StringIO()) as out:
        code = run([*words, "--json"])
    document: dict[str, Any] = json.loads(out.getvalue())
    return code, document


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, and an interpreter that has the stand-in for the toolkit."""
    pytest.importorskip("edgectl_fomo", reason="a family is needed to train")
    root = tmp_path_factory.mktemp("project")
    for key, (split, count) in enumerate({"train": 24, "valid": 8}.items()):
        draw_split(root / "set" / split, count, (0, key))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        words = ["--data", "set", "--imgsz", "64", "--epochs", "2", "--weights", "none"]
        assert run(["train", "fomo", *words, "--name", "small"]) == 0
    python = root / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={FAKES} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return root


@pytest.fixture(autouse=True)
def here(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (project / "edgectl.toml").unlink(missing_ok=True)
    shutil.rmtree(ARTIFACT, ignore_errors=True)


def with_toolkit(project: Path) -> None:
    (project / "edgectl.toml").write_text(f'[tools.rknn]\npython = "{project / "python"}"\n')
    trust(project)


def test_without_the_toolkit_the_plan_is_kept_and_the_remedy_named() -> None:
    code, document = call("export", RUN, "--backend", "rknn")
    assert code == 3
    assert document["data"]["status"] == "planned"
    assert "edgectl tools setup rknn" in document["error"]["fix"]
    code, document = call("export", RUN, "--backend", "rknn", "--plan")
    assert code == 0 and document["data"]["status"] == "planned"
    # what can be scored is the float network the compiler would start from
    code, document = call("eval", str(ARTIFACT))
    assert code == 0
    assert document["data"]["model"]["precision"] == "fp32"
    assert document["data"]["model"]["path"].endswith("model.onnx")


def test_the_plan_tells_normalization_once_and_calibrates_on_what_training_sees() -> None:
    call("export", RUN, "--backend", "rknn", "--plan")
    settings = json.loads((ARTIFACT / "rknn.json").read_text())
    manifest = read_manifest(ARTIFACT / "manifest.json")
    spec, calibration = manifest.preprocess, manifest.calibration
    assert calibration is not None
    assert settings["config"]["mean_values"] == [list(spec.mean)]
    assert settings["config"]["std_values"] == [list(spec.std)]
    names = (ARTIFACT / "dataset.txt").read_text().split()
    assert len(names) == calibration.count

    from edgectl.data.images.preprocess import decode, resize_image

    for name, source in zip(names[:4], calibration.names, strict=False):
        expected, _ = resize_image(decode(next(Path("set", "train").rglob(source))), spec)
        rgb = cv2.imread(str(ARTIFACT / name))[..., ::-1]
        np.testing.assert_array_equal(rgb, expected)


def test_built_and_scored_on_the_simulator(project: Path) -> None:
    with_toolkit(project)
    code, document = call("export", RUN, "--backend", "rknn")
    assert code == 0, document["error"]
    data = document["data"]
    assert data["status"] == "built"
    assert data["parity"]["runtimes"]["simulator"]["heads_max_abs"] < 1e-4
    assert data["metrics"]["file"]["model"]["runtime"] == "simulator"
    assert not list(ARTIFACT.rglob("__pycache__"))
    code, document = call("eval", str(ARTIFACT))
    assert code == 0 and document["data"]["model"]["runtime"] == "simulator"
    assert document["data"]["model"]["sha256"] == data["metrics"]["file"]["model"]["sha256"]


def test_the_network_is_balanced_and_still_the_network() -> None:
    def weights(*words: str) -> tuple[bytes, float]:
        code, document = call("export", RUN, "--backend", "rknn", "--plan", *words)
        assert code == 0, document["error"]
        parity = document["data"]["parity"]["graph"]["float_max_abs"]
        return (ARTIFACT / "model.onnx").read_bytes(), parity

    balanced, difference = weights()
    plain, _ = weights("--set", "quant.equalize=false", "--set", "quant.split_silu=0")
    assert balanced != plain
    assert difference < 1e-4


def test_float(project: Path) -> None:
    with_toolkit(project)
    code, document = call("export", RUN, "--backend", "rknn", "--precision", "fp16")
    assert code == 0 and document["data"]["status"] == "built"
    settings = json.loads(Path(RUN, "export", "rknn-fp16", "rknn.json").read_text())
    assert settings["build"] == {"do_quantization": False}


def test_taking_the_toolkit_away_again(project: Path) -> None:
    with_toolkit(project)
    assert call("export", RUN, "--backend", "rknn")[0] == 0
    (project / "edgectl.toml").unlink()
    code, document = call("eval", str(ARTIFACT))
    assert code == 3
    assert document["error"]["fix"] == "edgectl tools setup rknn"


def test_a_file_the_inputs_do_not_build(project: Path) -> None:
    with_toolkit(project)
    assert call("export", RUN, "--backend", "rknn")[0] == 0
    other = b"RKNN" + b"x" * 500
    (ARTIFACT / "model.rknn").write_bytes(other)

    write_manifest(ARTIFACT, read_manifest(ARTIFACT / "manifest.json"))
    code, document = call("eval", str(ARTIFACT))
    assert code == 5
    assert "another file" in document["error"]["message"]


def test_the_toolkit_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_toolkit(project)
    monkeypatch.setenv("FAKE_RKNN", "fails")
    code, document = call("export", RUN, "--backend", "rknn")
    assert code == 1
    assert "config returned -1" in document["error"]["message"]
    assert "rknn-int8.log" in document["error"]["message"]
    assert not ARTIFACT.exists()


def test_an_unknown_chip() -> None:
    words = ["--set", "backend.rknn.platform=rk3589", "--plan"]
    code, document = call("export", RUN, "--backend", "rknn", *words)
    assert code == 2
    assert "did you mean 'rk3588'" in document["error"]["fix"]


def test_tools_list_and_doctor(project: Path) -> None:
    _, document = call("tools", "list")
    (row,) = [r for r in document["data"]["tools"] if r["name"] == "rknn"]
    assert (row["state"], row["fix"]) == ("absent", "edgectl tools setup rknn")
    with_toolkit(project)
    _, document = call("tools", "list")
    (row,) = [r for r in document["data"]["tools"] if r["name"] == "rknn"]
    assert (row["state"], row["origin"]) == ("found", "[tools.rknn]")
    _, document = call("doctor")
    (check,) = [c for c in document["data"]["checks"] if c["name"] == "compiler rknn"]
    assert check["status"] == "ok"


def test_setup_needs_the_network() -> None:
    code, document = call("tools", "setup", "rknn", "--offline")
    assert (code, document["error"]["code"]) == (2, "E-USAGE")
    code, document = call("tools", "setup", "rnnk")
    assert "did you mean 'rknn'" in document["error"]["fix"]


def test_the_real_toolkit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGECTL_CACHE")
    try:
        find_tool(RKNN_TOOLKIT)
    except BackendUnavailableError as e:
        pytest.skip(e.message)
    words = ["--set", "quant.max_drop=1.0"]
    code, document = call("export", RUN, "--backend", "rknn", *words)
    assert code == 0, document["error"]
    runtimes = document["data"]["parity"]["runtimes"]
    assert runtimes["simulator"]["sqnr_db"]["cells"] > 15.0
