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
from edgectl_onnx.backend import OnnxBackend
from torch import nn

from edgectl.__main__ import run as main
from edgectl.backends.network import module_of
from edgectl.backends.onnx_file import describe_onnx, write_onnx
from edgectl.backends.onnx_runtime import OnnxRunner
from edgectl.errors import ArtifactError, UnknownNameError
from edgectl.spec import OutputSpec, PreprocessSpec

SPECS = (
    OutputSpec("scores", "class_logits", 2, 3),
    OutputSpec("boxes", "box_distances", 2, 4),
)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, stride=2), nn.ReLU()
        )
        self.scores = nn.Conv2d(8, 3, 1)
        self.boxes = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.stem(x)
        return self.scores(x), self.boxes(x)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Net]:
    torch.manual_seed(0)
    net = Net().eval()
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(net, PreprocessSpec((16, 24)), SPECS, path, opset=13)
    return path, net


def test_static_shapes_named_heads_and_the_opset_asked_for(written: tuple[Path, Net]) -> None:
    facts = describe_onnx(written[0])
    assert facts["opset"] == 13
    assert facts["inputs"] == [{"name": "images", "shape": [1, 3, 16, 24], "dtype": "float32"}]
    assert [(o["name"], o["shape"]) for o in facts["outputs"]] == [
        ("scores", [1, 3, 8, 12]),
        ("boxes", [1, 4, 8, 12]),
    ]


def test_nodes_tell_the_module_they_came_from(written: tuple[Path, Net]) -> None:
    convolutions = [n for n in onnx.load(written[0]).graph.node if n.op_type == "Conv"]
    assert [module_of(n) for n in convolutions] == ["stem.stem.1", "scores", "boxes"]


def test_the_runner_normalizes_as_the_spec_says(written: tuple[Path, Net]) -> None:
    path, net = written
    spec = PreprocessSpec((16, 24), mean=(10.0, 20.0, 30.0), std=(50.0, 60.0, 70.0))
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), dtype=np.uint8)
    outputs = OnnxRunner(path, SPECS, spec)(images)
    x = (images - np.float32([10, 20, 30])) / np.float32([50, 60, 70])
    with torch.no_grad():
        expected = net(torch.from_numpy(x).permute(0, 3, 1, 2))
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-5)


def test_a_head_the_file_lacks(written: tuple[Path, Net]) -> None:
    with pytest.raises(ArtifactError, match="no output 'cells'"):
        OnnxRunner(written[0], [OutputSpec("cells", "cell_logits", 8, 3)], None)


@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_bad_files(written: tuple[Path, Net], tmp_path: Path, damage: str) -> None:
    whole = written[0].read_bytes()
    bad = tmp_path / "bad.onnx"
    bad.write_bytes({"truncated": whole[: len(whole) // 2], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(ArtifactError):
        OnnxRunner(bad, SPECS, None)
    if damage != "empty":  # no bytes are an empty message to protobuf
        with pytest.raises(ArtifactError):
            OnnxBackend().describe(bad)


def test_no_other_runtime(written: tuple[Path, Net]) -> None:
    with pytest.raises(UnknownNameError):
        OnnxBackend().open(written[0], runtime="x", specs=SPECS, preprocess=None)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("project")
    words = ["train", "fomo", "--data", "demo_mask", "--epochs", "1", "--imgsz", "64"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("EDGECTL_CACHE", str(place / "cache"))
        assert call(*words, "--weights", "none")["ok"]
    return place


def call(*words: str) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as out:
        main([*words, "--json"])
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def test_the_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("EDGECTL_CACHE", str(project / "cache"))
    exported = call("export", "--backend", "onnx")
    assert exported["ok"] and exported["data"]["status"] == "built"
    assert exported["data"]["precision"] == "fp32"
    assert exported["data"]["parity"]["graph"]["float_max_abs"] < 1e-4
    assert exported["data"]["gate"]["drop"] == 0.0
    scored = call("eval")
    assert scored["data"]["model"]["backend"] == "onnx"
    assert scored["data"]["model"]["path"].endswith("model.onnx")


def test_qat_says_that_there_is_nothing_to_train_for(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("EDGECTL_CACHE", str(project / "cache"))
    answer = call("qat", "--backend", "onnx")
    assert answer["error"]["exit"] == 2
    assert "export --backend onnx" in answer["error"]["fix"]
