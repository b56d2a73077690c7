"""Small networks of other programs: a detector like YOLOX's, a classifier, as ONNX, program and module."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from edgectl.cli.app import run

NETS = '''
import torch
from torch import nn


class Grid(nn.Module):
    """One level of YOLOX's heads over a tiny backbone; decoded as its exporter does it."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
        self.cls, self.reg, self.obj = nn.Conv2d(8, 2, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 1, 1)

    def forward(self, x):
        y = self.stem(x)
        parts = self.cls(y), self.reg(y), self.obj(y)
        joined = torch.cat([parts[1], parts[2].sigmoid(), parts[0].sigmoid()], 1)
        return joined.flatten(2).permute(0, 2, 1)


class Classes(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(8, 2),
        )

    def forward(self, x):
        return self.body(x)


def gray():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    ).eval()


def grid():
    torch.manual_seed(0)
    return Grid().eval()


def classes():
    torch.manual_seed(0)
    return Classes().eval()


def broken():
    raise RuntimeError("no luck")


def number():
    return 3
'''


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """``nets.py``, ``grid.onnx``, ``classes.onnx``, ``classes.pt2``, ``classes.pth``, and ``images``."""
    pytest.importorskip("onnxsim")
    pytest.importorskip("onnxruntime")
    place = tmp_path_factory.mktemp("sources")
    (place / "nets.py").write_text(NETS)
    namespace: dict = {}
    exec(compile(NETS, "nets.py", "exec"), namespace)
    example = (torch.zeros(1, 3, 32, 32),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("grid", "classes"):
            torch.onnx.export(
                namespace[name](),
                example,
                place / f"{name}.onnx",
                dynamo=False,
                opset_version=13,
                input_names=["x"],
            )
        torch.onnx.export(
            namespace["gray"](),
            (torch.zeros(1, 1, 32, 32),),
            place / "gray.onnx",
            dynamo=False,
            opset_version=13,
            input_names=["x"],
        )
        torch.export.save(
            torch.export.export(namespace["classes"](), example), place / "classes.pt2"
        )
        torch.save(namespace["classes"]().state_dict(), place / "classes.pth")
        torch.jit.save(torch.jit.trace(namespace["classes"](), example[0]), place / "jit.pt")
    rng = np.random.default_rng(0)
    for folder in (
        "images",
        "set/train/dark",
        "set/train/light",
        "set/valid/dark",
        "set/valid/light",
    ):
        (place / folder).mkdir(parents=True)
        for i in range(4):
            low = 120 if folder.endswith("light") else 0
            coarse = rng.integers(low, 136 + low, (8, 8, 3), dtype=np.uint8)
            cv2.imwrite(str(place / folder / f"{i}.png"), cv2.resize(coarse, (40, 32)))
    return place


@pytest.fixture
def edgectl(place, monkeypatch, tmp_path, capsys):
    """Runs a command in ``place``; returns exit code and document."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

    def call(*words):
        capsys.readouterr()
        code = run([*map(str, words), "--json"])
        document = json.loads(capsys.readouterr().out)
        return SimpleNamespace(
            code=code, data=document["data"], error=document["error"], warnings=document["warnings"]
        )

    return call


@pytest.fixture
def out(tmp_path) -> Path:
    """Where an export goes."""
    return tmp_path / "out"
