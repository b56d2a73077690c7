"""The board's decoding against the families' own postprocess, and its images against training's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgectl.data.images.preprocess import resize_image
from edgectl.deploy import program
from edgectl.labels import Detections
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.tasks.decode_rule import decode_rule
from edgectl.testing.matching import require_same_detections

BOARD = Path(program.__file__).with_name("board")


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"board_{name}", BOARD / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def family(name: str) -> tuple[Any, Any, str]:
    info = build_registry().families.get(name)
    loaded = load_entry(info.entry, name)
    table = loaded.presets(info.default_variant)["model"]
    return loaded, loaded.config_type.model_validate(table, strict=False), info.task


def both(
    name: str, heads: list[torch.Tensor], threshold: float, overlap: float = 0.65
) -> tuple[list[Any], Detections]:
    """(what the board finds, what evaluation finds)."""
    loaded, config, task = family(name)
    specs = loaded.outputs(config, num_classes=2)
    post = loaded.postprocess(config, num_classes=2)
    post.threshold = threshold
    rule = decode_rule(task, specs).to_dict()
    model = {"threshold": threshold, "overlap": overlap, "decode": rule}
    arrays = {s.name: h[0].numpy() for s, h in zip(specs, heads, strict=True)}
    return module("decode").decode(arrays, model), post(heads, specs)[0]


def same(found: list[Any], wanted: Detections) -> None:
    assert len(found) == len(wanted.scores) > 3
    scores = [s for _, s, _ in found]
    assert scores == sorted(scores, reverse=True)
    boxes = [b for _, _, b in found] if len(wanted.boxes_xyxy) else []
    ours = Detections(
        torch.tensor(np.array(boxes, np.float32).reshape(-1, 4)),
        torch.tensor(scores),
        torch.tensor([k for k, _, _ in found]),
    )
    require_same_detections(ours, wanted, score=1e-5, overlap=0.999)


@pytest.mark.parametrize("seed", range(3))
def test_centers(seed: int) -> None:
    torch.manual_seed(seed)
    same(*both("fomo", [torch.randn(1, 3, 12, 9) * 3], 0.5))


def test_equal_cells_report_once() -> None:
    logits = torch.full((1, 3, 6, 8), -4.0)
    logits[0, 1, 1, 1:4] = 2.0
    logits[0, 2, 4, 5] = logits[0, 2, 3, 5] = logits[0, 1, 5, 0] = logits[0, 1, 0, 7] = 2.0
    same(*both("fomo", [logits], 0.5))


@pytest.mark.parametrize("threshold", [0.001, 0.5])
def test_boxes(threshold: float) -> None:
    torch.manual_seed(0)
    scores = [torch.randn(1, 2, 64 // s, 96 // s) * 3 for s in (8, 16, 32)]
    sides = [torch.rand(1, 4, 64 // s, 96 // s) * 4 for s in (8, 16, 32)]
    same(*both("rtmdet", [*scores, *sides], threshold))


def test_no_boxes() -> None:
    scores = [torch.full((1, 2, 64 // s, 96 // s), -9.0) for s in (8, 16, 32)]
    sides = [torch.rand(1, 4, 64 // s, 96 // s) for s in (8, 16, 32)]
    found, wanted = both("rtmdet", [*scores, *sides], 0.5)
    assert found == [] and len(wanted.scores) == 0


def test_logarithms_of_distances() -> None:
    decode = module("decode")
    specs = [
        OutputSpec("scores", "class_logits", 8, 1, "sigmoid"),
        OutputSpec("sides", "box_log_distances", 8, 4),
    ]
    heads = {
        "scores": np.full((1, 1, 2), 3.0, np.float32),
        "sides": np.log(np.full((4, 1, 2), 0.5, np.float32)),
    }
    rule = decode_rule("detection", specs).to_dict()
    found = decode.decode(heads, {"threshold": 0.5, "overlap": 0.65, "decode": rule})
    # corners of the cells at 0 and 8, half a stride to every side
    assert [b for _, _, b in found] == [(-4, -4, 4, 4), (4, -4, 12, 4)]


def test_classes() -> None:
    loaded, config, _ = family("resnet")
    specs = loaded.outputs(config, num_classes=5)
    logits = torch.tensor([[1.0, 700.0, 1.0, -700.0, 3.0]])
    wanted = loaded.postprocess(config, num_classes=5)([logits], specs)[0]
    rule = decode_rule("classification", specs)
    found = module("decode").classes(rule.to_dict()["heads"][0], logits[0].numpy())
    same(found, wanted)


@pytest.mark.parametrize(
    "spec",
    [
        PreprocessSpec((48, 64)),
        PreprocessSpec((48, 64), pad_side="center", pad_value=0),
        PreprocessSpec((48, 64), resize="stretch"),
        PreprocessSpec((48, 64), channel_order="bgr"),
        PreprocessSpec((48, 64)).to_gray(),
    ],
)
@pytest.mark.parametrize("shape", [(200, 133), (20, 31), (48, 64), (7, 300)])
def test_images_are_fitted_as_in_training(spec: PreprocessSpec, shape: tuple[int, int]) -> None:
    images = module("images")
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected, geometry = resize_image(noise, spec)
    red_first = expected[..., ::-1] if spec.channel_order == "bgr" else expected
    model = spec.to_dict() | {"channels": spec.channels}
    np.testing.assert_array_equal(images.fit(noise, model), red_first)
    box = np.array([[1.0, 2.0, 30.0, 40.0]])
    limit = [shape[1], shape[0]] * 2
    np.testing.assert_allclose(
        images.to_original(box[0], *shape, spec.to_dict()),
        np.clip(geometry.to_original(box)[0], 0, limit),
        rtol=1e-5,
    )


def test_boxes_with_center_ness() -> None:
    torch.manual_seed(0)
    sizes = [(128 // s, 128 // s) for s in (8, 16, 32, 64, 128)]
    heads = [torch.randn(1, 2, *g) * 3 for g in sizes]
    # far from the border, where evaluation clips boxes before it suppresses
    heads += [torch.rand(1, 4, *g) * 0.4 for g in sizes]
    heads += [torch.randn(1, 1, *g) * 3 for g in sizes]
    same(*both("fcos", heads, 0.9, 0.6))
