from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml

from edgectl.__main__ import run
from edgectl.artifacts.artifact import read_manifest
from edgectl.config.trust import trust
from edgectl.data.catalog.demo import draw_split
from edgectl.data.images.preprocess import decode, normalize, resize_image

RUN = "runs/train/small"
ARTIFACT = Path(RUN, "export", "horizon-int8")


def call(*words: str) -> tuple[int, dict[str, Any]]:
    with redirect_stdout(io.StringIO()) as out:
        code = run([*words, "--json"])
    return code, json.loads(out.getvalue())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("edgectl_rtmdet", reason="a family is needed to train")
    root = tmp_path_factory.mktemp("project")
    for key, (split, count) in enumerate({"train": 12, "valid": 6}.items()):
        draw_split(root / "set" / split, count, (0, key))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        words = ["--data", "set", "--imgsz", "64", "--epochs", "1", "--weights", "none"]
        assert run(["train", "rtmdet", *words, "--name", "small"]) == 0
    return root


@pytest.fixture(autouse=True)
def here(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_networks_of_gray_are_fed_gray() -> None:
    words = [
        "--data",
        "set",
        "--imgsz",
        "64",
        "--epochs",
        "1",
        "--weights",
        "none",
        "--name",
        "gray",
    ]
    assert call("train", "rtmdet", *words, "--set", "preprocess.channel_order=gray")[0] == 0
    export = ["export", "runs/train/gray", "--backend", "horizon", "--plan"]
    code, document = call(*export)
    assert code == 2 and "input_type_rt=gray" in document["error"]["fix"]
    code, document = call(*export, "--set", "backend.horizon.input_type_rt=gray")
    assert code == 0, document["error"]
    place = Path("runs/train/gray/export/horizon-int8")
    inputs = yaml.safe_load((place / "hb_mapper.yaml").read_text())["input_parameters"]
    assert inputs["input_type_rt"] == inputs["input_type_train"] == "gray"
    assert inputs["input_shape"] == "1x1x64x64" and len(inputs["mean_value"].split()) == 1
    sizes = {f.stat().st_size for f in (place / "calibration").iterdir()}
    assert sizes == {64 * 64 * 4}
    # a network of color is not fed gray
    code, _ = call("export", RUN, *export[2:], "--set", "backend.horizon.input_type_rt=gray")
    assert code == 2


def test_the_plan_holds_what_the_compiler_wants() -> None:
    code, document = call("export", RUN, "--backend", "horizon", "--plan")
    assert code == 0, document["error"]
    assert document["data"]["status"] == "planned"
    assert onnx.load(ARTIFACT / "model.onnx").opset_import[0].version == 11
    tables = yaml.safe_load((ARTIFACT / "hb_mapper.yaml").read_text())
    assert tables["model_parameters"]["march"] == "bernoulli2"
    inputs = tables["input_parameters"]
    assert (inputs["input_name"], inputs["input_shape"]) == ("images", "1x3x64x64")
    assert (inputs["input_type_rt"], inputs["input_type_train"]) == ("nv12", "rgb")
    assert tables["calibration_parameters"]["max_percentile"] == 0.99996
    assert (ARTIFACT / tables["model_parameters"]["onnx_model"]).is_file()
    script = (ARTIFACT / "build.sh").read_text()
    assert "hb_mapper makertbin --config hb_mapper.yaml --model-type onnx" in script


def test_calibration_normalized_as_told_is_what_training_feeds() -> None:
    assert call("export", RUN, "--backend", "horizon", "--plan")[0] == 0
    manifest = read_manifest(ARTIFACT / "manifest.json")
    spec = manifest.preprocess
    assert manifest.calibration is not None
    inputs = yaml.safe_load((ARTIFACT / "hb_mapper.yaml").read_text())["input_parameters"]
    mean, scale = (
        np.float32(inputs[k].split())[:, None, None] for k in ("mean_value", "scale_value")
    )
    files = sorted((ARTIFACT / "calibration").iterdir())
    assert len(files) == manifest.calibration.count
    for file, name in zip(files, manifest.calibration.names, strict=True):
        fed = (np.fromfile(file, np.float32).reshape(3, 64, 64) - mean) * scale
        image, _ = resize_image(decode(Path("set", "train", name)), spec)
        expected = normalize(torch.from_numpy(image).permute(2, 0, 1)[None], spec)[0]
        np.testing.assert_allclose(fed, expected.numpy(), atol=1e-5)


def test_without_the_compiler_and_with_a_wrong_march() -> None:
    code, document = call("export", RUN, "--backend", "horizon")
    assert code == 3 and "OpenExplorer" in document["error"]["fix"]
    words = ["--set", "backend.horizon.march=bernoulli3", "--plan"]
    assert call("export", RUN, "--backend", "horizon", *words)[0] == 2


def test_a_compiler_that_is_there(tmp_path: Path, project: Path) -> None:
    program = tmp_path / "hb_mapper"
    program.write_text(
        "#!/bin/sh\n[ \"$1 $2 $4\" = 'makertbin --config --model-type' ] || exit 2\n"
        "[ -f $3 ] || exit 3\nmkdir output && echo bin > output/model.bin\n"
    )
    program.chmod(0o755)
    (project / "edgectl.toml").write_text(f'[tools.hb_mapper]\ncommand = "{program}"\n')
    trust(project)
    code, document = call("export", RUN, "--backend", "horizon", "--out", str(tmp_path / "out"))
    (project / "edgectl.toml").unlink()
    assert code == 0, document["error"]
    assert document["data"]["status"] == "built"
    # nothing here runs its file: what is scored is the float network, and says so
    assert document["data"]["metrics"]["file"]["model"]["precision"] == "fp32"
