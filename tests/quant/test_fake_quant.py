from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.quant.calibrate import calibrate
from edgectl.quant.fake_quant import FakeQuantNet
from edgectl.quant.graph.trace import trace
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import sqnr_db

CONFIG = QuantConfig(observer="minmax", equalize=False, bias_correction=False)


class Mixed(nn.Module):
    """Shared ranges, a fixed range, a residual, a final sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.gate, self.head = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.a(x).relu(), self.b(x)], 1)
        y = nn.functional.max_pool2d(y, 2)
        gate = nn.functional.hardsigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        return torch.sigmoid(self.head(y * gate + y))


@pytest.fixture
def quantized(scheme: QuantScheme, images) -> QuantizedGraph:
    return calibrate(trace(Mixed(), (32, 32)), scheme, images, CONFIG)


def train(net: FakeQuantNet, x: Tensor, target: Tensor, steps: int = 5) -> list[float]:
    optimizer = torch.optim.Adam(net.parameter_groups(lr=1e-3, range_lr=1e-2))
    losses = []
    for _ in range(steps):
        loss = (net(x)[0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def equal_to_simulation(net: FakeQuantNet, x: Tensor) -> bool:
    with torch.no_grad():
        return torch.equal(net(x)[0], simulate(net.export(), x, None)[0])


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_export_is_bit_equal_before_and_after_training(
    symmetric: bool, per_channel: bool, scheme: QuantScheme, images
) -> None:
    scheme = replace(scheme, activation_symmetric=symmetric, weight_per_channel=per_channel)
    scheme = replace(scheme, input=None, fixed_outputs={})
    quantized = calibrate(trace(Mixed(), (32, 32)), scheme, images, CONFIG)
    net = FakeQuantNet(quantized)
    x = images()[0]
    with torch.no_grad():
        assert torch.equal(net(x)[0], simulate(quantized, x)[0])
    assert net.export().activations == quantized.activations
    train(net, x, torch.rand_like(net(x)[0]))
    assert net.export().activations != quantized.activations
    assert equal_to_simulation(net, x)


def test_state_dict_restores_the_trained_network(quantized: QuantizedGraph, images) -> None:
    x = images()[0]
    net, other = FakeQuantNet(quantized), FakeQuantNet(quantized)
    train(net, x, torch.rand_like(net(x)[0]))
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(x)[0], other(x)[0])


def test_gradients_reach_weights_biases_and_free_ranges_only(
    quantized: QuantizedGraph, images
) -> None:
    net = FakeQuantNet(quantized)
    net(images()[0])[0].square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in [*net.weights, *net.biases])
    assert net.ranges.grad is not None
    moved = net.ranges.grad.abs() > 0
    assert torch.equal(moved & (net.learned == 0), torch.zeros_like(moved))
    assert moved[:, 0].sum() == net.learned[:, 0].sum()


def test_fixed_and_shared_ranges_survive_training(
    quantized: QuantizedGraph, scheme: QuantScheme, images
) -> None:
    x = images()[0]
    net = FakeQuantNet(quantized)
    train(net, x, torch.rand_like(net(x)[0]))
    after = net.export().activations
    assert after["input"] == scheme.input
    assert after["gate"] == scheme.fixed_outputs["unit"]
    assert after["a"] == after["b"] == after["concat"] == after["max_pool"]
    assert after["a"] != quantized.activations["a"]


def test_logits_can_be_tapped_before_the_final_sigmoid(quantized: QuantizedGraph, images) -> None:
    x = images()[0]
    (logits,) = FakeQuantNet(quantized, outputs=["head"])(x)
    taps: dict[str, Tensor] = {}
    simulate(quantized, x, taps)
    assert torch.equal(logits.detach(), taps["head"])


def test_learning_repairs_a_range_that_clips(fomo_graph, scheme: QuantScheme, images) -> None:
    quantized = calibrate(fomo_graph, scheme, images, CONFIG)
    q = quantized.activations["head"]
    quantized.activations["head"] = type(q)(q.scale / 4, q.zero_point)
    x = images()[0]
    with torch.no_grad():
        (target,) = fomo_graph.run(x)
    net = FakeQuantNet(quantized)
    optimizer = torch.optim.Adam([net.ranges], lr=0.05)
    for _ in range(40):
        loss = (net(x)[0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learned = net.export()
    assert learned.activations["head"].scale > 2 * quantized.activations["head"].scale
    before, after = (sqnr_db(target, simulate(g, x)[0]) for g in (quantized, learned))
    assert after > before + 6


def test_scale_gradient_is_that_of_a_finite_difference_where_values_clip(
    fomo_graph, scheme: QuantScheme, images
) -> None:
    """Above the range the output is (qmax - zero point) * scale, so the slope is exact."""
    quantized = calibrate(fomo_graph, scheme, images, CONFIG)
    q = quantized.activations["head"]
    quantized.activations["head"] = type(q)(q.scale / 1e6, q.zero_point)
    net = FakeQuantNet(quantized)
    (y,) = net(images()[0])
    y.sum().backward()
    # y is proportional to exp(change of the log scale): the derivative is y itself.
    group = net._group["head"]
    assert net.ranges.grad is not None
    torch.testing.assert_close(net.ranges.grad[group, 0], y.detach().sum(), rtol=1e-4, atol=1e-8)


def test_the_quantized_graph_is_not_changed_by_training(quantized: QuantizedGraph, images) -> None:
    x = images()[0]
    before = simulate(quantized, x)[0]
    net = FakeQuantNet(quantized)
    train(net, x, torch.rand_like(net(x)[0]))
    assert torch.equal(simulate(quantized, x)[0], before)
