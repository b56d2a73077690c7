from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.ranges.consumers import common_consumer_function, gating_product, sigmoid, silu
from edgectl.quant.ranges.observers import Histogram, least_squares, mse_range, percentile_range
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.rewrite.split_silu import peaks_of, split, splittable, total_macs
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import relative_error


class Uneven(nn.Module):
    """A SiLU of which one channel is a hundred times as large as the seven others that matter."""

    def __init__(self, *, depthwise: bool, filters: int = 1) -> None:
        super().__init__()
        self.spread = nn.Conv2d(3, 8, 1)
        self.filter = nn.Conv2d(8, 8 * filters, 3, padding=1, groups=8 if depthwise else 1)
        self.head = nn.Conv2d(8 * filters, 2, 1)
        with torch.no_grad():
            self.spread.weight[0] = 100.0
            reader = self.filter.weight if depthwise else self.filter.weight.transpose(0, 1)
            reader[:filters] *= 0.01

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.filter(nn.functional.silu(self.spread(x))))


@pytest.fixture(params=[(True, 1), (True, 2), (False, 1)], ids=["depthwise", "several", "dense"])
def graph(request) -> QuantGraph:
    depthwise, filters = request.param
    return trace(Uneven(depthwise=depthwise, filters=filters), (16, 16))


@pytest.fixture
def small_images():
    g = torch.Generator().manual_seed(0)
    batch = torch.rand(4, 3, 16, 16, generator=g)
    return lambda: [batch]


def test_the_function_stays(graph: QuantGraph, scheme: QuantScheme, small_images) -> None:
    (x,) = small_images()
    taps: dict[str, Tensor] = {}
    heads = graph.run(x, taps)
    (found,) = splittable(graph)
    divided = split(graph, found, peaks_of(taps, found), scheme)
    assert relative_error(heads, divided.run(x)) < 1e-10
    assert len(divided) == len(graph) + 1
    # 3 x 8 weights on 16 x 16 positions, once more
    assert total_macs(divided) - total_macs(graph) == 3 * 8 * 16 * 16


def test_its_channels_become_alike(graph: QuantGraph, scheme: QuantScheme, small_images) -> None:
    (x,) = small_images()
    taps: dict[str, Tensor] = {}
    graph.run(x, taps)
    (found,) = splittable(graph)
    before = peaks_of(taps, found)
    divided = split(graph, found, before, scheme)
    divided.run(x, taps)
    after = peaks_of(taps, found)
    assert after.max() / after.median() < 0.5 * before.max() / before.median()


def test_splitting_lowers_the_error(graph: QuantGraph, scheme: QuantScheme, small_images) -> None:
    (x,) = small_images()
    plain = QuantConfig(observer="mse", equalize=False, bias_correction=False, split_silu=0)
    heads = graph.run(x)
    errors = [
        relative_error(heads, simulate(calibrate(graph, scheme, small_images, config), x))
        for config in (plain, plain.model_copy(update={"split_silu": 2.0}))
    ]
    assert errors[1] < 0.5 * errors[0]


def test_no_budget_no_split(graph: QuantGraph, scheme: QuantScheme, small_images) -> None:
    config = QuantConfig(observer="mse", split_silu=1e-6)
    assert len(calibrate(graph, scheme, small_images, config).graph) == len(graph)


def test_a_silu_that_is_added_to_something_cannot_be_balanced() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = nn.functional.silu(self.first(x))
            return y + self.last(y)

    assert not splittable(trace(Residual(), (8, 8)))


def test_readers_are_recognized(graph: QuantGraph, scheme: QuantScheme, small_images) -> None:
    (found,) = splittable(graph)
    assert common_consumer_function(graph, [found.conv]) is silu
    assert common_consumer_function(graph, [found.product]) is None
    taps: dict[str, Tensor] = {}
    graph.run(small_images()[0], taps)
    divided = split(graph, found, peaks_of(taps, found), scheme)
    assert common_consumer_function(divided, [found.conv]) is sigmoid
    product = gating_product(divided, [found.value])
    assert product is not None
    assert product.name == found.product
    assert gating_product(divided, [found.product]) is None


def test_an_output_is_read_as_it_is() -> None:
    class Exposed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            z = self.conv(x)
            return z, torch.sigmoid(z)

    graph = trace(Exposed(), (8, 8))
    assert common_consumer_function(graph, [graph.outputs[0]]) is None


def test_a_sigmoid_needs_no_range_beyond_its_slope(scheme: QuantScheme) -> None:
    x = torch.linspace(-100, 100, 20_001)
    lo, hi = least_squares(x, scheme, through=sigmoid)
    assert -20 < lo < -3
    assert 3 < hi < 20
    assert least_squares(x, scheme)[0] < -80


def test_weights_decide_what_counts(scheme: QuantScheme) -> None:
    x = torch.cat([torch.linspace(-1, 1, 1000), torch.tensor([50.0])])
    silent = torch.ones_like(x)
    silent[-1] = 0.0
    assert least_squares(x, scheme, weight=silent)[1] < 5
    h = Histogram(-1.0, 50.0)
    h.update(x)
    assert np.isclose(h.counts.sum() + h.zeros, len(x))
    assert mse_range(h, scheme, 100.0)[1] > 40


def test_percentiles_are_of_what_counts(scheme: QuantScheme) -> None:
    """Behind a gate that is nearly closed everywhere all values count little, zeros as well."""
    x = torch.cat([torch.linspace(0, 1, 10_000), torch.zeros(10_000)])
    plain, gated, closed = (Histogram(0.0, 1.0) for _ in range(3))
    plain.update(x)
    gated.update(x, torch.full_like(x, 1e-3))
    closed.update(x, torch.zeros_like(x))
    wanted = percentile_range(plain, scheme, 99.9)
    assert wanted[1] == pytest.approx(0.998, abs=1e-3)
    assert percentile_range(gated, scheme, 99.9) == pytest.approx(wanted, abs=1e-3)
    assert percentile_range(closed, scheme, 99.9) == (0.0, 1.0)
