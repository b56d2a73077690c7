"""Every network at several input sizes, to every backend that writes files itself."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from edgectl.config.schema import RunConfig
from edgectl.data.select.calibration import calibration_from_directory
from edgectl.errors import ArtifactError, GateFailedError
from edgectl.export.request import ExportRequest
from edgectl.export.stages import export_model
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.trained import load_trained_model
from edgectl.sources.source import from_trained

REGISTRY = build_registry()
CLASSES = ["one", "two"]
NO_SEARCH = {
    "observer": "minmax",
    "silence": False,
    "equalize": False,
    "split_silu": 0.0,
    "bias_correction": False,
}


def sizes(default: tuple[int, int], stride: int) -> list[tuple[int, int]]:
    """The default, a small square and one that is not square."""
    side = -(-3 * default[0] // 8 // stride) * stride
    return [default, (side, side), (side + stride, side)]


def every_case() -> list[Any]:
    return [
        pytest.param(info.name, variant.name, size, backend.name)
        for info in REGISTRY.families.infos()
        for variant in info.variants
        for size in sizes(variant.default_input_size, variant.output_stride)
        for backend in REGISTRY.backends.infos()
        if backend.takes == "graph" and "int8" in backend.precisions
    ]


def settled(model: nn.Module) -> nn.Module:
    """Random weights whose tensors have the width of a trained network's: no dead branch, no overflow."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 256, 256))
    return model.eval()


@dataclass
class Made:
    path: Path

    def request(
        self, family_name: str, variant: str, size: tuple[int, int], backend_name: str
    ) -> ExportRequest[Any]:
        """An export of a network with random weights, calibrated on two images of noise."""
        info = REGISTRY.families.get(family_name)
        family = load_entry(info.entry, family_name)
        presets = family.presets(variant)
        model_config = family.config_type.model_validate(presets.get("model", {}), strict=False)
        torch.manual_seed(0)
        model = settled(family.build(model_config, num_classes=len(CLASSES)))
        config = RunConfig(
            family=family_name,
            variant=variant,
            input_size=size,
            model=model_config.model_dump(mode="json"),
        ).model_copy(update={"quant": RunConfig().quant.model_copy(update=NO_SEARCH)})
        spec = family.preprocess(model_config, size)
        path = self.path / "best.pt"
        Checkpoint(
            family=family_name,
            variant=variant,
            task=info.task,
            config=config.model_dump(mode="json"),
            classes=tuple(CLASSES),
            preprocess=spec,
            outputs=tuple(family.outputs(model_config, num_classes=len(CLASSES))),
            weights=dict(model.state_dict()),
            epoch=1,
            data={"name": "", "fingerprint": {}, "images": {}},
            versions={},
        ).save(path)
        images = self.path / "images"
        images.mkdir(exist_ok=True)
        rng = np.random.default_rng(0)
        for i in range(2):
            coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            cv2.imwrite(str(images / f"{i}.png"), cv2.resize(coarse, size[::-1]))
        backend = REGISTRY.backends.get(backend_name)
        made = load_entry(backend.entry, backend_name)
        return ExportRequest(
            source=from_trained(load_trained_model(path, Checkpoint.load(path), family), info.task),
            backend=made,
            info=backend,
            backend_config=made.config_type(),
            precision="int8",
            out=self.path / "out",
            index=None,
            calibration=calibration_from_directory(images, 2, 0),
            max_drop=1.0,
        )


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "variant", "size", "backend"), every_case())
def test_export_at_several_sizes(
    made: Made, family: str, variant: str, size: tuple[int, int], backend: str
) -> None:
    try:
        artifact = export_model(made.request(family, variant, size, backend))
    except ArtifactError as e:
        if "cannot run on" not in e.message:
            raise
        pytest.skip(e.message)
    parity = artifact.manifest.parity
    assert parity.runtimes, parity.absent
    for name, report in parity.runtimes.items():
        assert not (report.exact and report.differing), name


def test_a_head_of_another_shape_is_found_before_the_search(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = next(i for i in REGISTRY.families.infos() if i.task == "centroid")
    variant = min(info.variants, key=lambda v: v.name)
    backend = next(
        b for b in REGISTRY.backends.infos() if b.takes == "graph" and "int8" in b.precisions
    )
    request = made.request(info.name, variant.name, (64, 64), backend.name)
    whole = request.backend

    class Transposing:
        """A backend whose runtimes mistake channels for rows."""

        def __getattr__(self, name: str) -> Any:
            return getattr(whole, name)

        def open(self, *args: Any, **options: Any) -> Any:
            runner = whole.open(*args, **options)
            return lambda images: [y.swapaxes(1, 2) for y in runner(images)]

    searched: list[Any] = []
    calibrate = importlib.import_module("edgectl.quant.calibrate")
    monkeypatch.setattr(calibrate, "search_ranges", lambda *args, **_: searched.append(args))
    searching = request.source.config.model_copy(update={"quant": RunConfig().quant})
    request = replace(request, backend=Transposing(), source=request.source.configured(searching))
    said: list[str] = []
    with pytest.raises(GateFailedError, match="the network's is"):
        export_model(request, progress=said.append)
    assert not searched
    assert not request.out.exists()
