"""What one backward pass says an error costs, against what it does cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgectl.quant.graph.quant_graph import QuantGraph, execute
from edgectl.quant.graph.trace import trace
from edgectl.quant.head_distance import HeadMeasure, HeadRole
from edgectl.quant.ranges.histogram import ChannelHistogram, joined
from edgectl.quant.ranges.observe import observe
from edgectl.quant.ranges.observers import least_squares_range
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.ranges.sensitivity import joint_slope, measure_sensitivity


class Wide(nn.Module):
    """Two tensors in a row, one of which the heads hardly feel."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 4, 1)
        with torch.no_grad():
            self.b.weight *= 0.1

    def forward(self, x: Tensor) -> Tensor:
        return self.c(nn.functional.silu(self.b(nn.functional.silu(self.a(x)))))


def cost_of_noise(graph: QuantGraph, name: str, x: Tensor, measure: HeadMeasure) -> float:
    noise = torch.Generator().manual_seed(5)

    def step(node, inputs):
        y = x if node.op == "input" else execute(node, inputs, node.weight, node.bias)
        return y + 1e-3 * torch.randn(y.shape, generator=noise) if node.name == name else y

    return measure.error_of(0, graph.evaluate(step))


def test_the_cost_of_a_small_error_is_predicted(scheme: QuantScheme) -> None:
    graph = trace(Wide(), (24, 24))
    x = torch.randn(8, 3, 24, 24)
    measure = HeadMeasure([graph.run(x)])
    names = ["a", "b"]
    seen = observe(graph, names, [x])
    found = measure_sensitivity(graph, seen, scheme, [(x, measure.weights(0))])
    for name in names:
        predicted = 1e-6 * float(found[name].channels.sum())
        assert predicted == pytest.approx(cost_of_noise(graph, name, x, measure), rel=0.2)


def test_a_sigmoid_needs_no_range_beyond_its_slope(scheme: QuantScheme) -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sigmoid(), nn.Conv2d(4, 2, 1)), (32, 32))
    graph["0"].weight *= 40.0
    x = torch.randn(8, 3, 32, 32)
    measure = HeadMeasure([graph.run(x)])
    seen = observe(graph, ["0"], [x])
    found = measure_sensitivity(graph, seen, scheme, [(x, measure.weights(0))])
    h = joined([seen["0"]])
    assert h.lo < -40 and h.hi > 40
    lo, hi = least_squares_range(h, scheme, joint_slope([found["0"]]))
    assert -25 < lo < -3
    assert 3 < hi < 25
    assert least_squares_range(h, scheme)[0] < -25


def test_tensors_that_share_a_range_are_felt_together() -> None:
    from edgectl.quant.ranges.sensitivity import Sensitivity

    small, large = Sensitivity(0.25, torch.zeros(1)), Sensitivity(1.0, torch.zeros(1))
    for s, size in ((small, 4.0), (large, 16.0)):
        y = size * (2 * torch.rand(1, 1, 4000) - 1)
        s.update(y, torch.full_like(y, 3.0))
    slope = joint_slope([small, large])
    assert slope is not None
    steepness = np.diff(slope.seen) / np.diff(slope.edges)
    assert steepness == pytest.approx(3.0)


def test_errors_count_where_something_is_found() -> None:
    scores = torch.full((1, 1, 4, 4), -9.0)
    scores[0, 0, 1, 2] = 3.0
    sides = torch.ones(1, 4, 4, 4)
    roles = [HeadRole(True, 8, "sigmoid"), HeadRole(False, 8, "none")]
    measure = HeadMeasure([[scores, sides]], roles)
    here, there = sides.clone(), sides.clone()
    here[..., 1, 2] += 1.0
    there[..., 3, 3] += 1.0
    assert measure.error_of(0, [scores, here]) > 100 * measure.error_of(0, [scores, there])
    weights = measure.weights(0)
    assert float(weights[1][0, 0, 1, 2]) > 100 * float(weights[1][0, 0, 3, 3])


def test_every_value_is_counted_once_whatever_the_stride() -> None:
    y = torch.randn(2, 3, 64, 64)
    h = ChannelHistogram(3)
    h.update(y, every=True)
    assert float(h.counts.sum() + h.zeros.sum()) == y.numel()
    h = ChannelHistogram(3)
    for _ in range(8):
        h.update(y)
    assert float(h.counts.sum() + h.zeros.sum()) == y.numel()
