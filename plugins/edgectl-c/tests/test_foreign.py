"""Files other programs wrote, as C: equal to the micro interpreter in every byte, or refused by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import edgectl
from edgectl.testing.line import Project

EXACT = {
    # arena in bytes with the image whole and by rows, at most: half of what row rings alone reach, or less
    "ei_fomo_balloon_int8": (46 << 10, 19 << 10),
    "openmv_fomo_face_detection_int8": (46 << 10, 19 << 10),
    "sscma_fomo_mask_gray96_int8": (28 << 10, 19 << 10),
    "sscma_fomo_mobnetv2_coco_person_int8": (46 << 10, 19 << 10),
    "mlperf_vww_96_int8": (40 << 10, 15 << 10),
    "mlperf_resnet8_cifar10_int8": (40 << 10, 40 << 10),
    "sscma_cls_mobilenetv2_cifar10_int8": (40 << 10, 40 << 10),
    "sscma_yolov5_tiny_face_int8": (114 << 10, 27 << 10),
}
_ALWAYS = ("ei_fomo_balloon_int8", "mlperf_vww_96_int8", "mlperf_resnet8_cifar10_int8")
pytestmark = pytest.mark.usefixtures("compiler")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in _ALWAYS else pytest.mark.slow) for name in EXACT],
)
def test_every_byte(
    name: str, golden: Callable[[str], Path], edgectl_project: Project, tmp_path: Path
) -> None:
    file = shutil.copy(golden(f"{name}.tflite"), tmp_path)
    for limit, way in zip(EXACT[name], ("whole", "rows"), strict=True):
        data = edgectl_project.expect(
            edgectl.export, file, backend="c", out=tmp_path / way, set={"backend.c.input": way}
        )
        assert data["tensors"]["arena_bytes"] <= limit
        compared = data["parity"]["runtimes"]
        assert {"c", "integer"} < set(compared)
        assert not any(r["differing"] for r in compared.values())


@pytest.mark.parametrize(
    ("name", "op"),
    [
        # TILE is taken; a channel's bias fills all of 32 bits
        ("sscma_fomo_efficientnet_coco_person_int8", "may leave 32 bits"),
        ("mobilenet_v1_0.25_128_quant", "uint8"),
    ],
)
def test_refused_by_name(
    name: str, op: str, golden: Callable[[str], Path], edgectl_project: Project, tmp_path: Path
) -> None:
    file = shutil.copy(golden(f"{name}.tflite"), tmp_path)
    error = edgectl_project.refuse(edgectl.export, file, backend="c", code=2)
    assert op in error.message
    assert [p.name for p in tmp_path.iterdir()] == [f"{name}.tflite"]
