"""Channels that are divided together: the function stays, and int8 loses less."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.config.schema import QuantConfig
from edgectl.quant.calibrate import calibrate
from edgectl.quant.evidence import Evidence
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.ranges.choose import choose_ranges
from edgectl.quant.ranges.observe import Statistics, observe
from edgectl.quant.ranges.ranges import range_groups
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.ranges.sensitivity import measure_sensitivity
from edgectl.quant.rewrite.balance import Balance, apply_balances, balanced_channels
from edgectl.quant.rewrite.balance_plan import BalancePlanner
from edgectl.quant.rewrite.channel_classes import channel_classes, macs, total_macs
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import relative_error

PLAIN = {"bias_correction": False, "seconds": 0.0}


def statistics_of(graph: QuantGraph, scheme: QuantScheme, x: Tensor) -> Statistics:
    groups = range_groups(graph, scheme)
    names = [p for g in groups if g.fixed is None for p in g.producers]
    seen = observe(graph, names, [x])
    evidence = Evidence(graph, lambda: [x])
    chunks = [(c, evidence.chosen_by.weights(i)) for i, c in enumerate(evidence.choosing)]
    return Statistics(seen, measure_sensitivity(graph, seen, scheme, chunks))


def all_balances(graph: QuantGraph) -> list[Balance]:
    """Every class with factors of any size."""
    return [
        Balance(c, torch.rand(c.channels) + 0.5, sum(macs(graph[s.conv]) for s in c.silus))
        for c in channel_classes(graph)
    ]


class Residual(nn.Module):
    """Two blocks on one stream, pooled, concatenated, gated: factors must travel through all of it."""

    def __init__(self, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.act = act()
        self.stem, self.a, self.b = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 8, 1),
            nn.Conv2d(8, 8, 1),
        )
        self.side, self.gate = nn.Conv2d(8, 4, 1), nn.Conv2d(12, 12, 1)
        self.depthwise = nn.Conv2d(12, 24, 3, padding=1, groups=12)
        self.head = nn.Conv2d(24, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.stem(x))
        x = x + self.act(self.a(x))
        x = x + self.act(self.b(x))
        x = torch.cat([F.max_pool2d(x, 2), F.max_pool2d(self.side(x), 2)], 1)
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return self.head(F.relu(self.depthwise(x)))


@pytest.mark.parametrize("act", [nn.ReLU, nn.SiLU])
def test_the_function_stays_whatever_the_factors(act: type[nn.Module]) -> None:
    graph = trace(Residual(act), (16, 16))
    classes = channel_classes(graph)
    stream = next(
        c for c in classes if ("stem" in c.convs) or any(s.conv == "stem" for s in c.silus)
    )
    makers = [*stream.convs, *(s.conv for s in stream.silus)]
    assert makers == ["stem", "a", "b"]
    balances = all_balances(graph)
    balanced = apply_balances(graph, balances)
    x = torch.randn(3, 3, 16, 16)
    for got, want in zip(balanced.run(x), graph.run(x), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
    assert total_macs(balanced) - total_macs(graph) == sum(b.macs for b in balances)
    assert (len(balanced) > len(graph)) == (act is nn.SiLU)


def test_distributions_of_the_new_tensors_are_known_without_running_it(scheme: QuantScheme) -> None:
    graph = trace(Residual(nn.SiLU), (16, 16))
    x = torch.randn(4, 3, 16, 16)
    balances = all_balances(graph)
    seen = balanced_channels(graph, statistics_of(graph, scheme, x).channels, balances)
    balanced = apply_balances(graph, balances)
    names = [p for g in range_groups(balanced, scheme) if g.fixed is None for p in g.producers]
    # the sigmoid's input stays; its copy, the value, is divided
    assert set(names) == set(seen)
    rerun = observe(balanced, names, list(Evidence(graph, lambda: [x]).statistics_images()))
    for name in names:
        limit = 1e-4 * float(seen[name].peaks().max())
        assert float((rerun[name].hi - seen[name].hi).clamp_min(0).max()) <= limit


def test_what_an_output_shows_stays_as_it_is() -> None:
    class Exposed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = torch.relu(self.first(x))
            return y, self.last(y)

    assert not channel_classes(trace(Exposed(), (8, 8)))


class Uneven(nn.Module):
    """An activation of which one channel is a hundred times as large as the seven others that matter."""

    def __init__(self, act: type[nn.Module], *, depthwise: bool) -> None:
        super().__init__()
        self.act = act()
        self.spread = nn.Conv2d(3, 8, 1)
        self.filter = nn.Conv2d(8, 8, 3, padding=1, groups=8 if depthwise else 1)
        self.head = nn.Conv2d(8, 2, 1)
        with torch.no_grad():
            self.spread.weight[0] = 100.0
            reader = self.filter.weight if depthwise else self.filter.weight.transpose(0, 1)
            reader[:1] *= 0.01

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.filter(self.act(self.spread(x))))


@pytest.fixture
def small_images():
    batch = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return lambda: [batch]


@pytest.mark.parametrize("act", [nn.ReLU, nn.SiLU])
@pytest.mark.parametrize("depthwise", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
def test_balancing_lowers_the_error(
    act: type[nn.Module], depthwise: bool, per_channel: bool, scheme: QuantScheme, small_images
) -> None:
    if not per_channel and act is nn.SiLU:
        pytest.skip("one scale a tensor: the weights would have to give what the activation gains")
    scheme = replace(scheme, weight_per_channel=per_channel)
    graph = trace(Uneven(act, depthwise=depthwise), (16, 16))
    (x,) = small_images()
    errors = [
        relative_error(
            graph.run(x), simulate(calibrate(graph, scheme, small_images, QuantConfig(**config)), x)
        )
        for config in (
            {**PLAIN, "equalize": False, "split_silu": 0.0},
            {**PLAIN, "split_silu": 2.0},
        )
    ]
    assert errors[1] < (0.5 if per_channel else 1.0) * errors[0]


def test_no_budget_no_split(scheme: QuantScheme, small_images) -> None:
    graph = trace(Uneven(nn.SiLU, depthwise=True), (16, 16))
    config = QuantConfig(split_silu=1e-6)
    assert len(calibrate(graph, scheme, small_images, config).graph) == len(graph)


def test_relu6_is_only_enlarged_and_clamped_channels_stay(
    scheme: QuantScheme, small_images
) -> None:
    model = Uneven(nn.ReLU6, depthwise=True)
    with torch.no_grad():
        model.spread.weight[0] = 0.0
        model.spread.bias[0] = 50.0
        model.spread.weight[1:] *= torch.logspace(-1.5, 0, 7).reshape(-1, 1, 1, 1)
    graph = trace(model, (16, 16))
    (x,) = small_images()
    statistics = statistics_of(graph, scheme, x)
    plan = BalancePlanner(choose_ranges(graph, scheme, statistics, "minmax"), statistics)
    chosen = plan.plan(equalize=True, budget=0.0)
    balanced = apply_balances(graph, chosen)
    torch.testing.assert_close(balanced.run(x)[0], graph.run(x)[0], atol=1e-4, rtol=1e-4)
    assert torch.equal(balanced["spread"].bias[:1], graph["spread"].bias[:1])
    assert not torch.equal(balanced["spread"].weight, graph["spread"].weight)
