"""Planted faults are named right."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.quant.analyze.effects import measure_effects
from edgectl.quant.analyze.findings import Analysis, describe_effects
from edgectl.quant.analyze.page import render_page
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QuantScheme

PLAIN = QuantConfig(
    observer="minmax", equalize=False, split_silu=0.0, bias_correction=False, silence=False
)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU())
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)))


def analyzed(graph: QuantGraph, scheme: QuantScheme, images) -> tuple[Analysis, QuantizedGraph]:
    quantized = calibrate(graph, scheme, images, PLAIN)
    return describe_effects(quantized, measure_effects(quantized, list(images()))), quantized


def test_a_channel_fifty_times_as_large_is_named(scheme: QuantScheme, images) -> None:
    model = Net()
    with torch.no_grad():
        model.stem[0].weight[3] *= 50.0
        model.body[0].weight[:, 3] /= 50.0
    found, _ = analyzed(trace(model, (32, 32)), scheme, images)
    worst = {t.words: t for t in found.tensors[:2]}
    assert set(worst) == {"SiLU of stem.1", "convolution stem.0"}
    assert all(t.dominant == 1 for t in worst.values())
    assert "1 of 8 channels up to" in " ".join(worst["convolution stem.0"].reasons)
    assert found.tensors[0].share > 0.3


def test_a_range_too_narrow_and_one_too_wide_are_named(scheme: QuantScheme, images) -> None:
    _, quantized = analyzed(trace(Net(), (32, 32)), scheme, images)
    spoiled = dict(quantized.activations)
    for name, factor in (("body_0", 0.3), ("head", 5.0)):
        spoiled[name] = replace(spoiled[name], scale=spoiled[name].scale * factor)
    quantized = replace(quantized, activations=spoiled)
    found = describe_effects(quantized, measure_effects(quantized, list(images())))
    rows = {t.name: t for t in found.tensors}
    assert found.tensors[0].name == "body_0"
    assert rows["body_0"].saturation > 0.01 and "clipped" in " ".join(rows["body_0"].reasons)
    assert rows["head"].used < 0.3 and "of the range is used" in " ".join(rows["head"].reasons)


def test_the_estimate_is_what_the_simulation_finds(scheme: QuantScheme, images) -> None:
    graph = trace(Net(), (32, 32))
    quantized = calibrate(graph, scheme, images, PLAIN)
    effects = measure_effects(quantized, list(images()))
    for effect in effects.tensors.values():
        assert effect.isolated == pytest.approx(effect.estimated, rel=0.35)
    assert effects.both > max(effects.weights, effects.activations) * 0.5


def test_figures_of_one_tensor(scheme: QuantScheme, images) -> None:
    found, quantized = analyzed(trace(Net(), (32, 32)), scheme, images)
    head = next(t for t in found.tensors if t.name == "head")
    x = torch.cat(list(images()))
    with torch.no_grad():
        (y,) = quantized.graph.run(x)
    # rounding to steps of s leaves an error of s ** 2 / 12
    expected = 10 * math.log10(
        float(y.square().mean()) / (quantized.activations["head"].scale ** 2 / 12)
    )
    assert head.sqnr_db == pytest.approx(expected, abs=0.5)
    # extremes are those of the images that do not judge
    assert head.saturation < 1e-3 and head.used > 0.9
    document = found.to_dict()
    assert {"name", "module", "sqnr_db", "saturation", "isolated", "cumulative"} <= set(
        document["tensors"][0]
    )
    assert sum(t["share"] for t in document["tensors"]) == pytest.approx(1.0)


def test_the_page_stands_alone(scheme: QuantScheme, images) -> None:
    found, quantized = analyzed(trace(Net(), (32, 32)), scheme, images)
    page = render_page("<net>", found, quantized.graph)
    assert "&lt;net&gt;" in page and "SiLU of stem.1" in page
    assert "http" not in page and "<script" not in page
    assert page.count("<span") == len(found.tensors)
