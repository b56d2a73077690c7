"""Schemes whose convolutions round what they read, while everything else computes in float."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.quant.calibrate import calibrate
from edgectl.quant.fake_quant import FakeQuantNet
from edgectl.quant.graph.quant_graph import execute
from edgectl.quant.graph.trace import trace
from edgectl.quant.head_distance import HeadMeasure
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.ranges import range_groups
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.ranges.search import RangeSearch
from edgectl.quant.simulate import fake_quantize, simulate
from edgectl.quant.sqnr import sqnr_db

SCHEME = QuantScheme(
    "rounded inputs",
    activation_range=(-127, 127),
    activation_symmetric=True,
    bias_bits=None,
    rounds="weighted_inputs",
)


class Residual(nn.Module):
    """A tensor that a convolution reads rounded and a sum reads as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.a(x))
        return torch.sigmoid(self.b(y) + y)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 16, 16)


def quantized(x: Tensor, observer: str = "minmax") -> QuantizedGraph:
    config = QuantConfig(observer=observer, equalize=False, bias_correction=False)
    return calibrate(trace(Residual(), (16, 16)), SCHEME, lambda: [x], config)


def test_only_what_convolutions_read_is_rounded(images: Tensor) -> None:
    q = quantized(images)
    taps: dict[str, Tensor] = {}
    (got,) = simulate(q, images, taps)
    a, b = q.graph["a"], q.graph["b"]
    assert a.weight is not None and b.weight is not None

    def rounded(name: str, value: Tensor) -> Tensor:
        return fake_quantize(value, q.activations[name], SCHEME)

    def weight(name: str) -> Tensor:
        node = q.graph[name]
        step = q.weight_scales[name].reshape(-1, 1, 1, 1)
        return torch.from_numpy(q.integer_weight(node)).float() * step

    y = execute(a, [rounded("input", images)], weight("a"), a.bias)
    z = execute(b, [rounded("a", y)], weight("b"), b.bias) + y
    torch.testing.assert_close(got, torch.sigmoid(z))
    assert torch.equal(taps["input"], images)  # the tensor itself stays as it is


def test_biases_stay(images: Tensor) -> None:
    """Where biases are rounded too, a huge one coarsens its channel's weights; here nothing does."""
    q = quantized(images)
    node = q.graph["b"]
    assert node.bias is not None and node.weight is not None
    node.bias = node.bias + 1e9
    net = FakeQuantNet(q)
    scales = net.export().weight_scales["b"]
    assert torch.equal(scales, node.weight.abs().flatten(1).amax(1) / 127)


@pytest.mark.parametrize("observer", ["mse", "auto", "downstream"])
def test_every_observer_searches(images: Tensor, observer: str) -> None:
    q = quantized(images, observer)
    (real,), (got,) = q.graph.run(images), simulate(q, images)
    assert sqnr_db(real, got) > 35


def test_search_sees_the_rounding(images: Tensor) -> None:
    """An outlier that only the sum sees in full must not decide the convolution's range."""
    wide = quantized(images)
    step = wide.activations["a"].scale
    coarse = replace(wide, activations=dict(wide.activations))
    coarse.activations["a"] = replace(coarse.activations["a"], scale=step * 20)
    (real,) = wide.graph.run(images)
    assert sqnr_db(real, simulate(coarse, images)[0]) < sqnr_db(real, simulate(wide, images)[0])
    search = RangeSearch(coarse, [images], HeadMeasure([[real]]))
    group = next(g for g in range_groups(coarse.graph, SCHEME) if g.name == "a")
    before = search.error
    stale = coarse.graph.descendants(group.members)
    assert search.try_range(group, wide.activations["a"], stale)
    assert search.error < before
    assert not search.try_range(group, replace(wide.activations["a"], scale=step * 20), stale)


def test_training_equals_simulation_and_learns(images: Tensor) -> None:
    net = FakeQuantNet(quantized(images))
    optimizer = torch.optim.Adam(net.parameter_groups(lr=1e-3, range_lr=1e-2))
    losses = []
    for _ in range(4):
        loss = net(images)[0].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert torch.equal(net(images)[0].detach(), simulate(net.export(), images)[0])
