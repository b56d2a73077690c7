"""Through the command line, against a compiler that is as strict as its documentation."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgectl.artifacts.artifact import read_manifest
from edgectl.data.images.preprocess import decode, normalize, resize_image

FAMILIES = ("fomo", "rtmdet", "resnet")
MODELS = (*FAMILIES, "fomo_bgr")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_compiler_accepts_the_plan(here: Any, tmp_path: Path, name: str) -> None:
    """Planned here, copied, compiled elsewhere by hand: build.sh's own command."""
    code, document = here.export(name, "--plan")
    assert code == 0, document["error"]
    assert document["data"]["status"] == "planned"
    artifact = shutil.copytree(here.artifact(name), tmp_path / "elsewhere")
    (command,) = re.findall(r"(?m)^python3 (.*)", (artifact / "build.sh").read_text())
    done = subprocess.run(
        [here.root / "python", *command.split()],
        cwd=artifact,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *_, result = (json.loads(line) for line in done.stdout.splitlines())
    assert result["event"] == "result"
    assert [s["stage"] for s in result["stages"]] == ["parse", "optimize", "compile"]
    names = [o.name for o in read_manifest(artifact / "manifest.json").outputs]
    assert sorted(result["layers"]) == sorted(names)
    assert (artifact / "model.hef").read_bytes()[:4] == b"\x01HEF"


def test_what_was_compiled_by_hand_is_not_thrown_away(here: Any, tmp_path: Path) -> None:
    out = tmp_path / "plan"
    assert here.export("fomo", "--plan", "--out", str(out))[0] == 0
    (out / "model.hef").write_bytes(b"an hour's work")
    code, document = here.export("fomo", "--plan", "--out", str(out))
    assert code == 2 and "model.hef" in document["error"]["message"]
    assert (out / "model.hef").read_bytes() == b"an hour's work"


@pytest.mark.parametrize("name", MODELS)
def test_images_are_those_of_training_and_normalized_once(here: Any, name: str) -> None:
    assert here.export(name, "--plan")[0] == 0
    artifact = here.artifact(name)
    manifest = read_manifest(artifact / "manifest.json")
    spec = manifest.preprocess
    array = np.load(artifact / "calibration.npy")
    assert array.dtype == np.uint8 and array.shape == (12, *spec.input_size, 3)
    script = (artifact / "model.alls").read_text()
    assert len(re.findall(r"\bnormalization\(", script)) == 1
    # by hand, what the device computes from the array
    device = array.astype(np.float32)
    if spec.channel_order == "bgr":
        assert script.index("normalization1") < script.index("input_conversion(bgr_to_rgb)")
        device = device[..., ::-1]
    else:
        assert "input_conversion" not in script
    mean, std = (
        np.float32(json.loads(v))
        for v in re.search(r"normalization\((\[.*?\]), (\[.*?\])\)", script).groups()
    )
    device = (device - mean) / std
    for image, seen, source in zip(array, device, manifest.calibration.names, strict=True):
        if name == "resnet":
            continue  # both classes have files of one name
        (path,) = (here.root / "boxes" / "train").rglob(source)
        expected, _ = resize_image(decode(path), spec)
        raw = expected[..., ::-1] if spec.channel_order == "bgr" else expected
        np.testing.assert_array_equal(image, raw)
        fed = normalize(torch.from_numpy(expected.copy()).permute(2, 0, 1)[None], spec)[0]
        np.testing.assert_array_equal(seen, fed.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("name", ["fomo", "rtmdet", "resnet_small", "fomo_bgr"])
def test_built_and_measured_on_every_runtime(here: Any, built: Any, name: str) -> None:
    data = built(name)
    assert data["status"] == "built"
    runtimes = data["parity"]["runtimes"]
    assert set(runtimes) == {
        "onnxruntime", "sdk-native", "sdk-optimized", "sdk-quantized", "hailort",
    }  # fmt: skip
    # channel order and normalization of the model script, in numbers
    for exact in ("sdk-native", "sdk-optimized"):
        assert runtimes[exact]["heads_max_abs"] < 1e-4
    for rounded in ("sdk-quantized", "hailort"):
        assert 1e-6 < runtimes[rounded]["heads_max_abs"] < 0.1
    assert data["metrics"]["file"]["model"]["runtime"] == "sdk-quantized"
    digests = {f["path"]: f["sha256"] for f in data["files"]}
    assert {"model.hef", "model_parsed.har", "model_optimized.har"} <= set(digests)
    manifest = read_manifest(here.built(name) / "manifest.json")
    facts = manifest.require_compiler().facts
    assert facts["hw_arch"] == "hailo8l"
    assert all(digests[s["file"]] == s["sha256"] for s in facts["stages"])


def test_eval_needs_the_compiler_again(here: Any, built: Any) -> None:
    built("fomo")
    code, document = here.call("eval", str(here.built("fomo")))
    assert code == 3 and "[tools.hailo]" in document["error"]["fix"]
    code, document = here.call("eval", str(here.built("fomo")), "--runtime", "onnxruntime")
    assert code == 0 and document["data"]["model"]["precision"] == "fp32"
    here.with_sdk()
    code, document = here.call("eval", str(here.built("fomo")), "--runtime", "sdk-native")
    assert code == 0 and document["data"]["model"]["runtime"] == "sdk-native"


def test_without_the_compiler_the_plan_is_kept(here: Any) -> None:
    code, document = here.export("fomo")
    assert code == 3
    assert document["data"]["status"] == "planned"
    assert "[tools.hailo]" in document["error"]["fix"]
    assert (here.artifact("fomo") / "build.sh").is_file()
    code, document = here.call("eval", str(here.artifact("fomo")))
    assert code == 0
    assert document["data"]["model"]["path"].endswith("model.onnx")


@pytest.mark.parametrize("arch", ["hailo8", "Hailo-8L", "hailo15h", "hailo10h"])
def test_architectures_are_honoured(here: Any, arch: str) -> None:
    words = ["--plan", "--set", f"backend.hailo.hw_arch={arch}"]
    assert here.export("fomo", *words)[0] == 0
    settings = json.loads((here.artifact("fomo") / "compile.json").read_text())
    assert settings["hw_arch"] == arch.lower().replace("-", "")


def test_an_unknown_architecture(here: Any) -> None:
    words = ["--plan", "--set", "backend.hailo.hw_arch=hailo15k"]
    code, document = here.export("fomo", *words)
    assert code == 2
    assert "did you mean 'hailo15" in document["error"]["fix"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"hw_arch": "hailo9"}, "not supported"),
        ({"start_node_names": ["x"]}, "the input is images"),
        ({"script": "compile.py"}, "cannot parse"),
    ],
)
def test_what_the_compiler_refuses_is_one_line(
    here: Any, damage: dict[str, object], says: str
) -> None:
    assert here.export("fomo", "--plan")[0] == 0
    artifact = here.artifact("fomo")
    settings = json.loads((artifact / "compile.json").read_text())
    (artifact / "compile.json").write_text(json.dumps(settings | damage))
    done = subprocess.run(
        [here.root / "python", "compile.py"],
        cwd=artifact,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "error" and says in last["message"] and "\n" not in last["message"]
    assert not (artifact / "model.hef").exists()
