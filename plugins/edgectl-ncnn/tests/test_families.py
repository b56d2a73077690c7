"""Our float files against pnnx's, for every variant of every family installed whose ops ncnn has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from edgectl_ncnn.reader.modelfile import write_model
from edgectl_ncnn.runtimes.runtime import NcnnRunner
from edgectl_ncnn.writer.write import build_model

from edgectl.errors import UnsupportedOpError
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.quant.graph.trace import trace

REGISTRY = build_registry()
LARGEST = 30_000_000
"""Parameters; the files of larger ones take minutes."""


def default_variants():
    return [(i.name, i.default_variant) for i in REGISTRY.families.infos()]


def every_variant():
    return [(i.name, v.name) for i in REGISTRY.families.infos() for v in i.variants]


def check(family_name: str, variant_name: str, directory: Path) -> None:
    pnnx = pytest.importorskip("pnnx", reason="pnnx is an extra")
    info = REGISTRY.families.get(family_name)
    family = load_entry(info.entry, family_name)
    table = family.presets(variant_name)["model"]
    config = family.config_type.model_validate(table, strict=False)
    torch.manual_seed(0)
    model = family.build(config, num_classes=2)
    if sum(p.numel() for p in model.parameters()) > LARGEST:
        pytest.skip("large")
    with torch.no_grad():
        for module in model.modules():  # statistics of a trained network, roughly
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    model.eval()
    stride = next(v.output_stride for v in info.variants if v.name == variant_name)
    side = max(64, stride)
    try:
        graph = trace(model, (side, side))
    except UnsupportedOpError as e:
        pytest.skip(str(e))
    x = torch.randn(1, 3, side, side)
    torch.jit.trace(model, x).save(str(directory / "net.pt"))
    subprocess.run(
        [pnnx.EXEC_PATH, "net.pt", f"inputshape=[1,3,{side},{side}]", "fp16=0"],
        cwd=directory,
        capture_output=True,
        check=True,
    )
    theirs = directory / "net.ncnn.param"
    if "nn.Conv2d" in theirs.read_text():
        pytest.skip("pnnx leaves convolutions that share weights unconverted")
    # pnnx numbers the outputs; in the file they stand in the order of execution
    names = [f"out{i}" for i in range(len(graph.outputs))]
    ours, _ = write_model(build_model(graph, names), directory / "ours.param")
    results = [NcnnRunner(p).run(x[0].numpy(), names) for p in (ours, theirs)]
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-4 * max(1.0, float(np.abs(want).max())))


@pytest.mark.parametrize(("family", "variant"), default_variants())
def test_default_variants_equal_pnnx(family: str, variant: str, tmp_path: Path) -> None:
    check(family, variant, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "variant"), every_variant())
def test_every_variant_equals_pnnx(family: str, variant: str, tmp_path: Path) -> None:
    check(family, variant, tmp_path)
