"""Networks as families build them, on real images: C library == integer executor == TensorFlow Lite Micro."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from edgectl_c.code.model import write_source
from edgectl_c.modelfile import Library
from edgectl_c.runtimes.compiled import CompiledLibrary

from edgectl.config.layers import validate
from edgectl.plugins.registry import installed
from edgectl.quant.graph.lower import fold_preprocess
from edgectl.quant.graph.trace import trace
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.lower import lower_graph
from edgectl.testing.networks import quantize
from edgectl.workflows.opening.families import open_family

VALID = Path(os.environ.get("EDGECTL_DATA", Path(__file__).parents[4] / "shared/data"))
VALID = VALID / "coco_mask" / "valid"
CASES = [
    ("fomo", "mobilenetv2_0.1_x8", 96),
    ("fomo", "mobilenetv2_0.35_x8", 192),
    ("fomo", "mobilenetv2_1.0_x16", 96),
    ("rtmdet", "pico_relu6", 192),
    ("rtmdet", "micro_relu6", 192),
    ("resnet", "mobilenetv2_0.35", 96),
    ("resnet", "resnet18", 96),
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("compiler"),
    pytest.mark.skipif(not VALID.is_dir(), reason="coco_mask is absent"),
]


@pytest.mark.parametrize(("family", "variant", "size"), CASES, ids=lambda v: str(v))
def test_no_byte_differs(family: str, variant: str, size: int) -> None:
    """Random weights: what a byte is does not depend on what they were trained for."""
    writer = pytest.importorskip("edgectl_tflite.writer.write")
    reader = pytest.importorskip("edgectl_tflite.reader.modelfile")
    pytest.importorskip("tflite_micro", reason="tflite-micro is an extra")
    from edgectl_tflite.runtimes.runtime import RUNTIMES

    if variant not in _variants(family):
        pytest.skip(f"no {family} {variant} here")
    made = open_family(installed(), family)
    table = made.family.presets(variant).get("model", {})
    config = validate(made.family.config_type, table, prefix="model.")
    torch.manual_seed(0)
    model = made.family.build(config, num_classes=2).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):  # heads begin near zero: every byte would be alike
            torch.nn.init.kaiming_normal_(module.weight)
    preprocess = made.family.preprocess(config, (size, size))
    graph = fold_preprocess(trace(model, (size, size)), preprocess)
    files = sorted(VALID.glob("*.jpg"))
    images = np.stack([_image(file, size) for file in files])
    assert len(images) == 29
    quantized = quantize(graph, images[:8], shrink=0.9)
    names = [o.name for o in made.family.outputs(config, num_classes=2)]
    program = lower_graph(quantized, names)
    x = (images ^ 0x80).view(np.int8)
    exact = IntegerExecutor(program).run(x)
    assert any(len(np.unique(a)) > 8 for a in exact)
    file = reader.parse_model(writer.write_program(program, "int8"))
    micro = RUNTIMES["tflm"](file, ()).raw(images)
    for rows in (False, True):
        ours = CompiledLibrary(program, write_source(Library(program, rows).plan())).run(x)
        for a, b, c in zip(ours, exact, micro, strict=True):
            assert np.count_nonzero(a != b) == 0
            assert np.count_nonzero(a.ravel() != np.asarray(c).ravel()) == 0


def _variants(family: str) -> list[str]:
    found = installed().families
    return [v.name for v in found.get(family).variants] if found.claims(family) else []


def _image(file: Path, size: int) -> np.ndarray:
    pixels = cv2.resize(cv2.imread(str(file)), (size, size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(pixels[..., ::-1])
