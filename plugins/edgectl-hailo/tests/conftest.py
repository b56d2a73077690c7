"""Checkpoints with random weights, small data sets, and an interpreter that has the stand-ins for Hailo's
packages (``fakes``)."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from edgectl.__main__ import run
from edgectl.config.schema import RunConfig
from edgectl.config.trust import trust
from edgectl.data.catalog.demo import draw_split
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.trained import TrainedModel, load_trained_model
from edgectl.spec import OperatingPoint, PreprocessSpec

FAKES = Path(__file__).with_name("fakes")
SIZE = (64, 64)
IMAGENET_BGR = PreprocessSpec(
    SIZE,
    channel_order="bgr",
    mean=(103.53, 116.28, 123.675),
    std=(57.375, 57.12, 58.395),
)
MODELS = ("fomo", "rtmdet", "resnet", "fomo_bgr", "resnet_small")
VARIANTS = {"resnet_small": "mobilenetv2_0.35"}


@dataclass(frozen=True)
class Project:
    """A directory with data sets and one checkpoint a name of ``MODELS``."""

    root: Path

    def checkpoint(self, name: str) -> Path:
        return self.root / name / "best.pt"

    def trained(self, name: str) -> TrainedModel:
        path = self.checkpoint(name)
        stored = Checkpoint.load(path)
        info = build_registry().families.get(stored.family)
        return load_trained_model(path, stored, load_entry(info.entry, info.name))

    def artifact(self, name: str) -> Path:
        return self.root / name / "export" / "hailo-int8"

    def built(self, name: str) -> Path:
        return self.root / "built" / name

    def call(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code and document of a command."""
        with redirect_stdout(io.StringIO()) as out:
            code = run([*words, "--json"])
        document: dict[str, Any] = json.loads(out.getvalue())
        return code, document

    def export(self, name: str, *words: str) -> tuple[int, dict[str, Any]]:
        return self.call("export", str(self.checkpoint(name)), "--backend", "hailo", *words)

    def with_sdk(self) -> None:
        python = self.root / "python"
        (self.root / "edgectl.toml").write_text(
            f'[tools.hailo]\npython = "{python}"\n[tools.hailort]\npython = "{python}"\n'
        )
        trust(self.root)

    def without_sdk(self) -> None:
        (self.root / "edgectl.toml").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("hailo")
    for key, (split, count) in enumerate({"train": 12, "valid": 4}.items()):
        draw_split(root / "boxes" / split, count, (0, key))
        for label in ("a", "b"):
            folder = root / "classes" / split / label
            folder.mkdir(parents=True)
            for i in range(count // 2):
                noise = np.random.default_rng((key, ord(label), i))
                image = noise.integers(0, 256, (50, 70, 3), dtype=np.uint8)
                cv2.imwrite(str(folder / f"{i}.png"), image)
    for name in MODELS:
        write_checkpoint(root, name)
    python = root / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={FAKES} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return Project(root)


def write_checkpoint(root: Path, name: str) -> None:
    family_name = name.split("_")[0]
    info = build_registry().families.get(family_name)
    family = load_entry(info.entry, family_name)
    variant = VARIANTS.get(name, info.default_variant)
    table = family.presets(variant)["model"]
    config = family.config_type.model_validate(table, strict=False)
    torch.manual_seed(0)
    model = family.build(config, num_classes=2)
    with torch.no_grad():
        for module in model.modules():  # statistics of a trained network, roughly
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
            if isinstance(module, torch.nn.Conv2d) and module.out_channels <= 4:
                # heads that say something: scores of every size, boxes of some strides
                module.weight.normal_(0, 0.5 if module.out_channels < 4 else 0.1)
                module.bias.fill_(0.0 if module.out_channels < 4 else 2.0)
    data = "classes" if info.task == "classification" else "boxes"
    settings = {"family": family_name, "data": {"name": data}, "model": table}
    spec = IMAGENET_BGR if name.endswith("bgr") else family.preprocess(config, SIZE)
    (root / name).mkdir()
    Checkpoint(
        family=family_name,
        variant=variant,
        task=info.task,
        config=RunConfig.model_validate(settings, strict=False).model_dump(mode="json"),
        classes=("a", "b") if data == "classes" else ("mask", "no-mask"),
        preprocess=spec,
        outputs=tuple(family.outputs(config, num_classes=2)),
        weights=model.state_dict(),
        epoch=1,
        data={"name": data},
        versions={},
        operating_point=OperatingPoint(0.3, "test", 0.0) if info.task == "centroid" else None,
    ).save(root / name / "best.pt")


@pytest.fixture(scope="session")
def built(project: Project) -> Callable[[str], dict[str, Any]]:
    """Exports with the stand-ins, once a name; the artifact stays in ``built/NAME``."""
    done: dict[str, dict[str, Any]] = {}

    def export(name: str) -> dict[str, Any]:
        if name not in done:
            words = ["--set", "quant.max_drop=1.0", "--out", str(project.built(name))]
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(project.root)
                patch.setenv("XDG_CONFIG_HOME", str(project.root / "config"))
                project.with_sdk()
                code, done[name] = project.export(name, *words)
                project.without_sdk()
            assert code == 0, done[name]["error"]
        return done[name]["data"]

    return export


@pytest.fixture
def here(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project as working directory, without Hailo's packages."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    project.without_sdk()
    return project
