"""Levels, model script, operations, NMS configuration."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import edgectl_hailo
import numpy as np
import onnx
import pytest
import torch
from edgectl_hailo.capabilities import SUPPORTED, check_network
from edgectl_hailo.config import HailoConfig
from edgectl_hailo.heads import heads_of
from edgectl_hailo.levels import choose_level
from edgectl_hailo.plan import write_plan
from edgectl_hailo.runtime import open_runner
from edgectl_hailo.script import model_script
from torch import nn

from edgectl.backends.network import Network
from edgectl.backends.onnx_file import write_onnx
from edgectl.data.catalog.demo import draw_split
from edgectl.data.select.calibration import calibration_from_directory
from edgectl.errors import ArtifactError, UnknownNameError, UsageError
from edgectl.spec import OutputSpec, PreprocessSpec

SPEC = PreprocessSpec((32, 48), mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0))


@pytest.mark.parametrize(
    ("asked", "images", "level", "falls"),
    [
        ("auto", 1024, 2, False),
        ("auto", 1023, 1, True),
        (4, 5000, 4, False),
        (4, 64, 1, True),
        (0, 64, 0, False),
    ],
)
def test_levels(asked: Any, images: int, level: int, falls: bool) -> None:
    found, remarks = choose_level(HailoConfig(optimization_level=asked), images)
    assert found == level
    assert any("falls to" in r for r in remarks) == falls
    assert any(f"{images} calibration images" in r for r in remarks) == (images < 1024)


def test_script_of_gray() -> None:
    text = model_script(replace(SPEC, mean=(9.0,) * 3, std=(2.0,) * 3).to_gray(), HailoConfig(),
                        level=0, images=64)  # fmt: skip
    assert text.splitlines()[0] == "normalization1 = normalization([9.0], [2.0])"
    assert "input_conversion" not in text


def test_script_of_every_setting() -> None:
    config = HailoConfig(compression_level=3, finetune="on", max_performance=True)
    text = model_script(SPEC, config, level=2, images=1024)
    assert text.splitlines() == [
        "normalization1 = normalization([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])",
        "model_optimization_flavor(optimization_level=2, compression_level=3)",
        "model_optimization_config(calibration, batch_size=8, calibset_size=1024)",
        "post_quantization_optimization(finetune, policy=enabled, dataset_size=1024)",
        "performance_param(compiler_optimization_level=max)",
    ]
    assert "batch_size=3," in model_script(SPEC, HailoConfig(), level=0, images=3)
    assert "policy=disabled" in model_script(SPEC, HailoConfig(finetune="off"), level=0, images=9)


class Net(nn.Module):
    """YOLOv8's head in small: a stride with logits and distributions over four distances a side."""

    def __init__(self, last: nn.Module | None = None) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.act = last or nn.ReLU()
        self.scores, self.sides = nn.Conv2d(8, 3, 1), nn.Conv2d(8, 16, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.act(self.stem(x))
        return self.scores(x), self.sides(x)


class Pick(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.topk(x, 8, dim=1).values


SPECS = (
    OutputSpec("scores", "class_logits", 2, 3, "sigmoid"),
    OutputSpec("sides", "box_distributions", 2, 16),
)


def network(directory: Path, net: nn.Module, *, images: int = 4) -> Network:
    torch.manual_seed(0)
    path = directory / "model.onnx"
    write_onnx(net, SPEC, SPECS, path, opset=13)
    draw_split(directory / "images", images, (0,))
    chosen = calibration_from_directory(directory / "images", images, 0)
    return Network(path, SPEC, SPECS, ("a", "b", "c"), chosen)


def test_an_operation_the_parser_lacks_is_named_with_its_module(tmp_path: Path) -> None:
    (issue,) = check_network(network(tmp_path, Net(Pick())))
    assert issue.startswith("act: TopK") and "ranking is the host's" in issue
    assert check_network(network(tmp_path / "..", Net())) == []


@pytest.mark.parametrize(
    ("op", "attributes", "says"),
    [
        ("Resize", {"mode": "cubic"}, "nearest or linear"),
        ("MaxPool", {"ceil_mode": 1, "kernel_shape": [2, 2]}, "ceil_mode"),
        ("Conv", {"kernel_shape": [3, 3, 3]}, "3-dimensional"),
        ("Softmax", {"axis": 2}, "axis 2"),
        ("Pad", {"mode": "edge"}, "edge"),
    ],
)
def test_conditions(op: str, attributes: dict[str, Any], says: str) -> None:
    reason = SUPPORTED[op](onnx.helper.make_node(op, ["x"], ["y"], **attributes))
    assert reason is not None and says in reason


def test_heads_are_the_nodes_that_compute_them(tmp_path: Path) -> None:
    heads = heads_of(network(tmp_path, Net()))
    assert [(h.name, h.node, h.shape) for h in heads] == [
        ("scores", "/scores/Conv", (1, 3, 16, 24)),
        ("sides", "/sides/Conv", (1, 16, 16, 24)),
    ]


def test_no_images(tmp_path: Path) -> None:
    net = network(tmp_path, Net())
    with pytest.raises(UsageError, match="quantizes on images"):
        write_plan(Network(net.file, SPEC, SPECS, net.classes, None), tmp_path, HailoConfig())


def test_runtimes_say_what_they_lack(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        open_runner(tmp_path / "model.hef", "sdk", SPECS)
    with pytest.raises(ArtifactError, match=r"no compile\.json"):
        open_runner(tmp_path / "model.hef", "hailort", SPECS)
    write_plan(network(tmp_path, Net()), tmp_path, HailoConfig())
    with pytest.raises(ArtifactError, match=r"model_optimized\.har"):
        open_runner(tmp_path / "model.hef", "sdk-quantized", SPECS)


def test_without_the_sdk_the_script_says_so(tmp_path: Path) -> None:
    write_plan(network(tmp_path, Net()), tmp_path, HailoConfig())
    done = subprocess.run(
        [sys.executable, "compile.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "hailo_sdk_client" in json.loads(done.stdout)["message"]


def test_outputs_are_found_by_the_node_they_were_made_of() -> None:
    path = Path(edgectl_hailo.__file__).with_name("job") / "compile.py"
    spec = importlib.util.spec_from_file_location("job_compile", path)
    assert spec is not None and spec.loader is not None
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)
    heads = [{"name": "a", "node": "/a/Conv"}, {"name": "b", "node": "/b/Conv"}]
    hn = {
        "net_params": {"output_layers_order": ["m/conv2", "m/conv1"]},
        "layers": {
            "m/conv1": {"original_names": ["/a/Conv", "/a/Relu"]},
            "m/conv2": {"original_names": ["/b/Conv"]},
        },
    }
    assert job.head_layers(hn, heads) == {"a": "m/conv1", "b": "m/conv2"}
    hn["layers"]["m/conv1"]["original_names"] = []
    with pytest.raises(job.JobError, match="none was made of the node of a"):
        job.head_layers(hn, heads)


def test_calibration_holds_every_image(tmp_path: Path) -> None:
    net = network(tmp_path, Net(), images=19)
    write_plan(net, tmp_path, HailoConfig())
    np.testing.assert_array_equal(np.load(tmp_path / "calibration.npy"), np.stack([*net.images()]))
