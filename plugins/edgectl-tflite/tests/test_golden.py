"""Files other programs wrote: read, described, run; equal in every byte or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgectl_tflite.backend import TfliteBackend
from edgectl_tflite.reader.modelfile import read_model
from edgectl_tflite.runtimes.runtime import IntegerRunner, LiteRtRunner, TflmRunner

from edgectl.errors import UnsupportedOpError
from edgectl.quant.integer.executor import IntegerExecutor

pytestmark = pytest.mark.usefixtures("tflm")

EXACT = (
    "ei_fomo_balloon_int8.tflite",
    "mlperf_resnet8_cifar10_int8.tflite",
    "mlperf_vww_96_int8.tflite",
    "openmv_fomo_face_detection_int8.tflite",
    "sscma_cls_mobilenetv2_cifar10_int8.tflite",
    "sscma_fomo_mask_gray96_int8.tflite",
    "sscma_fomo_mobnetv2_coco_person_int8.tflite",
    "sscma_fomo_efficientnet_coco_person_int8.tflite",
    "sscma_yolov5_tiny_face_int8.tflite",
)
_REFERENCE = ("sscma_fomo_efficientnet_coco_person_int8.tflite",)
"""TensorFlow Lite Micro has no TILE; LiteRT's reference kernels judge."""
REFUSED = {"mobilenet_v1_0.25_128_quant.tflite": "not symmetric int8"}


def _images(path: Path, count: int) -> np.ndarray:
    model = read_model(path)
    shape = model.tensors[model.inputs[0]].shape[1:]
    # Smooth images with contrast: plain noise would leave most activations idle.
    coarse = np.random.default_rng(0).integers(0, 256, (count, 6, 6, shape[2]))
    return (
        coarse.repeat(-(-shape[0] // 6), 1)
        .repeat(-(-shape[1] // 6), 2)[:, : shape[0], : shape[1]]
        .astype(np.uint8)
    )


@pytest.mark.parametrize("name", EXACT)
def test_every_byte(golden: Callable[[str], Path], name: str) -> None:
    path = golden(name)
    images = _images(path, 3)
    model = read_model(path)
    judge = LiteRtRunner(model, reference=True) if name in _REFERENCE else TflmRunner(model)
    for ours, theirs in zip(IntegerRunner(model).raw(images), judge.raw(images), strict=True):
        assert (ours == theirs).all()


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(golden: Callable[[str], Path], name: str) -> None:
    with pytest.raises(UnsupportedOpError, match=REFUSED[name]):
        IntegerExecutor(read_model(golden(name)))


@pytest.mark.parametrize("name", [*EXACT, *REFUSED])
def test_litert_runs_it(golden: Callable[[str], Path], name: str) -> None:
    path = golden(name)
    outputs = LiteRtRunner(read_model(path))(_images(path, 1))
    assert all(np.isfinite(o).all() for o in outputs)


def test_describe(golden: Callable[[str], Path]) -> None:
    facts = TfliteBackend().describe(golden("ei_fomo_balloon_int8.tflite"))
    assert facts["file_bytes"] == 56616
    (source,), (cells,) = facts["inputs"], facts["outputs"]
    assert source["shape"] == [1, 96, 96, 3] and source["zero_point"] == -128
    assert source["scale"] == pytest.approx(1 / 255)
    assert cells["shape"] == [1, 12, 12, 3] and cells["scale"] == 1 / 256
    counts = {op["name"]: op["count"] for op in facts["ops"]}
    assert counts == {"ADD": 3, "CONV_2D": 15, "DEPTHWISE_CONV_2D": 6, "PAD": 2, "SOFTMAX": 1}
    # The stem's 48-channel expansion and its padded copy, as the interpreter's recorder says too.
    assert facts["peak"]["live_bytes"] <= facts["arena"]["activations"] == 225840
