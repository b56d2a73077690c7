"""A calibration is taken again only for the same arguments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgectl.config.schema import QuantConfig
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.head_distance import HeadRole
from edgectl.quant.kept import calibrate_once, calibration_key
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QuantScheme

CONFIG = QuantConfig(observer="minmax", seconds=0.0)


def calibrated(graph, scheme, images, directory: Path, said: list[str]) -> QuantizedGraph:
    return calibrate_once(graph, scheme, images(), CONFIG, said.append, None, directory)


def test_the_second_time_nothing_is_run(
    fomo_graph: QuantGraph, scheme: QuantScheme, images, tmp_path: Path
) -> None:
    said: list[str] = []
    first = calibrated(fomo_graph, scheme, images, tmp_path / "kept", said)
    assert not any("before" in s for s in said)
    again: list[str] = []
    second = calibrated(fomo_graph, scheme, images, tmp_path / "kept", again)
    assert again == ["calibrated before, with the same images and settings"]
    assert second.activations == first.activations and second.scheme == scheme
    assert second.graph.outputs == first.graph.outputs
    for one, other in zip(first.graph, second.graph, strict=True):
        assert (one.name, one.op, one.inputs, one.shape, one.attrs, one.activation) == (
            other.name,
            other.op,
            other.inputs,
            other.shape,
            other.attrs,
            other.activation,
        )
        if one.weight is not None:
            assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)
            assert torch.equal(first.weight_scales[one.name], second.weight_scales[one.name])


def test_whatever_decides_is_in_the_key(
    fomo_graph: QuantGraph, scheme: QuantScheme, images
) -> None:
    roles = [HeadRole(True, 8, "sigmoid")]
    other_weights = fomo_graph.copy()
    next(n for n in other_weights if n.bias is not None).bias += 1e-3
    other_images = [b + 1e-3 for b in images()]
    keys = [
        calibration_key(graph, arithmetic, x, config, given)
        for graph, arithmetic, x, config, given in (
            (fomo_graph, scheme, images(), CONFIG, None),
            (other_weights, scheme, images(), CONFIG, None),
            (fomo_graph, replace(scheme, weight_range=(-7, 7)), images(), CONFIG, None),
            (fomo_graph, scheme, other_images, CONFIG, None),
            (fomo_graph, scheme, images(), CONFIG.model_copy(update={"equalize": False}), None),
            (fomo_graph, scheme, images(), CONFIG, roles),
        )
    ]
    assert len(set(keys)) == len(keys)
    # how the result is judged is no part of it
    looser = CONFIG.model_copy(update={"max_drop": 0.5})
    assert calibration_key(fomo_graph, scheme, images(), looser, None) == keys[0]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
def test_a_damaged_file_is_made_again(
    content: bytes, fomo_graph: QuantGraph, scheme: QuantScheme, images, tmp_path: Path
) -> None:
    first = calibrated(fomo_graph, scheme, images, tmp_path, [])
    (file,) = tmp_path.glob("*.pt")
    file.write_bytes(content)
    assert calibrated(fomo_graph, scheme, images, tmp_path, []).activations == first.activations
    assert file.stat().st_size > 1000


def test_where_nothing_can_be_kept_the_work_goes_on(
    fomo_graph: QuantGraph, scheme: QuantScheme, images, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    said: list[str] = []
    calibrated(fomo_graph, scheme, images, tmp_path / "file" / "kept", said)
    assert any("not kept for next time" in s for s in said)
