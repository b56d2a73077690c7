from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgectl.errors import UnsupportedOpError
from edgectl.quant.graph.trace import trace
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.histogram import ChannelHistogram, Histogram, joined
from edgectl.quant.ranges.observers import minmax_range, mse_range, percentile_range
from edgectl.quant.ranges.ranges import bounds, qparams, range_groups
from edgectl.quant.ranges.scheme import QParams, QuantScheme
from edgectl.quant.simulate import fake_quantize
from edgectl.quant.weights import round_bias, round_weight, weight_scale, weight_scales


@pytest.mark.parametrize("lo, hi", [(0.0, 6.0), (-3.7, 1.1), (0.5, 2.0), (-2.0, -1.0), (0.0, 0.0)])
@pytest.mark.parametrize("symmetric", [False, True])
def test_zero_is_exact_and_the_range_is_covered(
    lo: float, hi: float, symmetric: bool, scheme: QuantScheme
) -> None:
    scheme = replace(scheme, activation_symmetric=symmetric)
    q = qparams(lo, hi, scheme)
    assert q.scale == float(np.float32(q.scale)) > 0
    assert fake_quantize(torch.zeros(1), q, scheme).item() == 0.0
    low, high = bounds(q, scheme)
    assert low <= lo + q.scale and high >= hi - q.scale
    assert q.zero_point == 0 or not symmetric


def histogram(values: Tensor) -> Histogram:
    h = ChannelHistogram(1)
    for part in values.split(1000):
        h.update(part[:, None])
    return joined([h])


def test_bins_grow_without_counting_again() -> None:
    """Whatever the order in which sizes come, every value ends in the bin it belongs to."""
    values = torch.randn(4000) * torch.logspace(-3, 3, 4000)
    for order in (values, values.flip(0)):
        h = histogram(order)
        assert h.counts.sum() == 4000
        assert (h.lo, h.hi) == (float(values.min()), float(values.max()))
        expected, _ = np.histogram(values.double().numpy(), bins=h.edges)
        assert np.array_equal(h.counts, expected)


def test_channels_keep_their_own_bins(scheme: QuantScheme) -> None:
    loud, quiet = torch.randn(500), 1e-3 * torch.randn(500)
    h = ChannelHistogram(2)
    h.update(torch.stack([loud, quiet], dim=1))
    assert float(h.width[1]) < 0.01 * float(h.width[0])
    torch.testing.assert_close(
        h.power(), torch.stack([loud, quiet], 1).square().mean(0), rtol=0.02, atol=0
    )
    balanced = joined([h.divided(torch.tensor([1.0, 1e-3]))])
    together = histogram(torch.cat([loud, 1000 * quiet]))
    assert np.abs(np.cumsum(balanced.counts) - np.cumsum(together.counts)).max() < 15


def error(values: Tensor, lo: float, hi: float, scheme: QuantScheme) -> float:
    return float((values - fake_quantize(values, qparams(lo, hi, scheme), scheme)).square().mean())


def test_minmax_keeps_an_outlier_and_percentile_drops_it(scheme: QuantScheme) -> None:
    values = torch.cat([torch.rand(100_000), torch.tensor([50.0])])
    h = histogram(values)
    assert minmax_range(h, scheme, 99.99) == (0.0, 50.0)
    lo, hi = percentile_range(h, scheme, 99.99)
    assert lo == 0.0
    assert 0.95 < hi < 1.05
    assert percentile_range(h, scheme, 100.0)[1] == pytest.approx(50.0, abs=0.05)


def test_mse_clips_heavy_tails_on_both_sides(scheme: QuantScheme) -> None:
    values = torch.randn(50_000) ** 3
    h = histogram(values)
    lo, hi = mse_range(h, scheme, 99.99)
    assert 0.2 * h.lo > lo > 0.95 * h.lo and 0.2 * h.hi < hi < 0.95 * h.hi
    best = min(
        error(values, h.lo * low, h.hi * high, scheme)
        for low in np.linspace(0.1, 1.0, 19)
        for high in np.linspace(0.1, 1.0, 19)
    )
    assert error(values, lo, hi, scheme) <= 1.02 * best


def test_mse_finds_the_best_of_a_brute_force_search(scheme: QuantScheme) -> None:
    values = torch.randn(50_000).relu() ** 2
    h = histogram(values)
    lo, hi = mse_range(h, scheme, 99.99)
    assert lo == 0.0
    best = min(error(values, 0.0, h.hi * f, scheme) for f in np.linspace(0.05, 1.0, 191))
    assert error(values, lo, hi, scheme) <= 1.02 * best


def test_mse_of_a_uniform_distribution_clips_nothing(scheme: QuantScheme) -> None:
    values = torch.rand(50_000) * 4 - 1
    lo, hi = mse_range(histogram(values), scheme, 99.99)
    assert lo == pytest.approx(-1.0, abs=0.05) and hi == pytest.approx(3.0, abs=0.05)


def test_a_tensor_that_is_always_zero_gets_a_scale(scheme: QuantScheme) -> None:
    h = histogram(torch.zeros(100))
    assert h.zeros == 100
    for observer in (minmax_range, percentile_range, mse_range):
        assert qparams(*observer(h, scheme, 99.99), scheme).scale > 0


class Joined(nn.Module):
    """Two branches concatenated; ``act`` decides what the second carries."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.a, self.b, self.act = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1), act
        self.pool, self.last = nn.MaxPool2d(2), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.pool(torch.cat([self.a(x), self.act(self.b(x))], 1)))


def test_shared_ranges_follow_the_scheme(scheme: QuantScheme) -> None:
    graph = trace(Joined(nn.ReLU()), (8, 8))
    groups = {g.name: g for g in range_groups(graph, scheme)}
    assert groups["a"].members == ("a", "b", "concat", "pool_max_pool")
    assert groups["a"].producers == ("a", "b")
    assert groups["input"].fixed == scheme.input
    free = range_groups(graph, replace(scheme, shared_range_ops=frozenset()))
    assert all(len(g.members) == 1 for g in free)


def test_fixed_ranges_by_op_and_by_activation(scheme: QuantScheme) -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Hardsigmoid(), nn.Sigmoid()), (8, 8))
    fixed = {m: g.fixed for g in range_groups(graph, scheme) for m in g.members}
    assert fixed["0"] == scheme.fixed_outputs["unit"]
    assert fixed["2_sigmoid"] == QParams(1 / 256, -128)


def test_joining_a_fixed_range_with_another_is_refused(scheme: QuantScheme) -> None:
    graph = trace(Joined(nn.Sigmoid()), (8, 8))
    with pytest.raises(UnsupportedOpError, match="concat") as caught:
        range_groups(graph, scheme)
    assert "separate outputs" in str(caught.value.fix)


def test_weight_scale_is_the_largest_magnitude_over_127(scheme: QuantScheme) -> None:
    weight = torch.tensor([[1.27, -0.5], [0.1, -0.254]])
    scale = weight_scale(weight, torch.zeros(2), 1.0, scheme)
    torch.testing.assert_close(scale, torch.tensor([0.01, 0.002]))
    whole = weight_scale(weight, torch.zeros(2), 1.0, replace(scheme, weight_per_channel=False))
    torch.testing.assert_close(whole, torch.tensor([0.01, 0.01]))


def test_a_dead_channel_keeps_its_bias(scheme: QuantScheme) -> None:
    weight, bias = torch.tensor([[1e-12], [0.0], [0.0]]), torch.tensor([3.0, -2.0, 0.0])
    scale = weight_scale(weight, bias, 0.02, scheme)
    torch.testing.assert_close(round_bias(bias, scale, 0.02, scheme), bias)
    assert (scale > 0).all()


def test_rounded_parameters_are_the_integers_times_their_scale(
    fomo_graph, scheme: QuantScheme
) -> None:
    activations = {n.name: qparams(-1.0, 3.3, scheme) for n in fomo_graph}
    scales = weight_scales(fomo_graph, activations, scheme)
    quantized = QuantizedGraph(fomo_graph, scheme, activations, scales)
    for node in fomo_graph:
        if node.weight is None:
            continue
        scale = scales[node.name]
        integer = torch.from_numpy(quantized.integer_weight(node)).float()
        expected = integer * scale.reshape(-1, 1, 1, 1)
        assert torch.equal(round_weight(node.weight, scale, scheme), expected)
        bias = quantized.integer_bias(node) * quantized.bias_scale(node).astype(np.float64)
        input_scale = activations[node.inputs[0]].scale
        rounded = round_bias(node.bias, scale, input_scale, scheme)
        assert np.array_equal(rounded.numpy(), bias.astype(np.float32))
