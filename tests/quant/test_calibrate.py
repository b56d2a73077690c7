from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.errors import DataError
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.rewrite.bias_correction import correct_biases
from edgectl.quant.rewrite.equalize import equalizable, equalize
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import relative_error, sqnr_db

PLAIN = {"equalize": False, "bias_correction": False}


@pytest.fixture
def x(images) -> Tensor:
    return torch.cat(list(images()))


def head_error(graph: QuantGraph, quantized, x: Tensor) -> float:
    with torch.no_grad():
        return relative_error(graph.run(x), simulate(quantized, x))


@pytest.mark.parametrize("observer", ["auto", "minmax", "percentile", "mse", "downstream"])
def test_every_observer_quantizes_a_small_network_well(
    observer: str, fomo_graph: QuantGraph, scheme: QuantScheme, images, x: Tensor
) -> None:
    quantized = calibrate(fomo_graph, scheme, images, QuantConfig(observer=observer))
    assert set(quantized.activations) == {n.name for n in fomo_graph}
    with torch.no_grad():
        assert sqnr_db(fomo_graph.run(x)[0], simulate(quantized, x)[0]) > 25


def test_auto_is_never_worse_than_mse_on_its_sample(
    fomo_graph: QuantGraph, scheme: QuantScheme, images, x: Tensor
) -> None:
    errors = [
        head_error(
            fomo_graph, calibrate(fomo_graph, scheme, images, QuantConfig(observer=o, **PLAIN)), x
        )
        for o in ("auto", "mse")
    ]
    assert errors[0] <= errors[1]


class NegativeTail(nn.Module):
    """A SiLU whose input reaches far below zero, where it has no effect any more."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.Conv2d(3, 8, 1)
        self.head = nn.Conv2d(8, 2, 1)
        with torch.no_grad():
            self.spread.weight[:4] *= 4.0
            self.spread.weight[4:] = -40.0 * self.spread.weight[4:].abs()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.silu(self.spread(x)))


def test_ranges_are_chosen_by_the_error_behind_their_readers(
    scheme: QuantScheme, images, x: Tensor
) -> None:
    graph = trace(NegativeTail(), (32, 32))
    found = {
        o: calibrate(graph, scheme, images, QuantConfig(observer=o, split_silu=0, **PLAIN))
        for o in ("minmax", "mse", "downstream", "auto")
    }
    error = {o: head_error(graph, q, x) for o, q in found.items()}
    assert all(error[o] < 0.5 * error["minmax"] for o in ("mse", "downstream", "auto"))
    spread = found["mse"].activations["spread"]
    assert spread.scale < 0.7 * found["minmax"].activations["spread"].scale


def test_calibration_leaves_the_graph_alone(
    fomo_graph: QuantGraph, scheme: QuantScheme, images
) -> None:
    before = fomo_graph.copy()
    calibrate(fomo_graph, scheme, images, QuantConfig())
    for node in fomo_graph:
        if node.weight is not None:
            assert torch.equal(node.weight, before[node.name].weight)
            assert torch.equal(node.bias, before[node.name].bias)


def test_progress_reports_the_error_of_each_step(
    fomo_graph: QuantGraph, scheme: QuantScheme, images
) -> None:
    lines: list[str] = []
    calibrate(fomo_graph, scheme, images, QuantConfig(), lines.append)
    words = " ".join(lines)
    assert "ranges" in words and "downstream" in words and "bias correction" in words


def test_no_images(fomo_graph: QuantGraph, scheme: QuantScheme) -> None:
    with pytest.raises(DataError, match="no calibration images"):
        calibrate(fomo_graph, scheme, list, QuantConfig())


def test_bias_correction_moves_the_mean_back(
    fomo_graph: QuantGraph, scheme: QuantScheme, images, x: Tensor
) -> None:
    coarse = replace(scheme, weight_range=(-3, 3))
    quantized = calibrate(fomo_graph, coarse, images, QuantConfig(observer="minmax", **PLAIN))
    taps: dict[str, Tensor] = {}
    with torch.no_grad():
        (want,) = fomo_graph.run(x, taps)
    shift = [
        float((simulate(q, x)[0] - want).mean(dim=(0, 2, 3)).abs().max())
        for q in (quantized, correct_biases(quantized, x, taps))
    ]
    assert shift[0] > 0.01
    assert shift[1] < 0.1 * shift[0]


def chain(act: type[nn.Module], filters: int = 1) -> nn.Sequential:
    """conv -> act -> depthwise -> act -> conv with channels of very different size.

    filters: of each channel of the depthwise convolution.
    """
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        act(),
        nn.Conv2d(8, 8 * filters, 3, padding=1, groups=8),
        act(),
        nn.Conv2d(8 * filters, 2, 1),
    )
    with torch.no_grad():
        model[0].weight *= torch.logspace(-1.5, 0.5, 8).reshape(-1, 1, 1, 1)
    return model


def peaks(graph: QuantGraph, x: Tensor) -> dict[str, Tensor]:
    taps: dict[str, Tensor] = {}
    with torch.no_grad():
        graph.run(x, taps)
    return {name: taps[name].abs().amax(dim=(0, 2, 3)) for name in equalizable(graph)}


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("filters", [1, 3])
def test_equalization_preserves_the_function_of_a_relu_network(
    filters: int, per_channel: bool, scheme: QuantScheme, x: Tensor
) -> None:
    scheme = replace(scheme, weight_per_channel=per_channel)
    graph = trace(chain(nn.ReLU, filters), (32, 32))
    assert equalizable(graph) == ["0", "2"]
    balanced = equalize(graph, peaks(graph, x), scheme)
    unseen = 5 * torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(balanced.run(unseen)[0], graph.run(unseen)[0], atol=1e-5, rtol=1e-4)
    if not per_channel:
        return  # the imbalance is shared with the weights
    before, after = (p[p > 0] for p in (peaks(graph, x)["0"], peaks(balanced, x)["0"]))
    assert after.max() / after.min() < 0.3 * before.max() / before.min()


def test_a_depthwise_convolution_with_several_filters_a_channel_is_calibrated(
    scheme: QuantScheme, images, x: Tensor
) -> None:
    graph = trace(chain(nn.ReLU, 2), (32, 32))
    quantized = calibrate(graph, scheme, images, QuantConfig(observer="mse"))
    assert head_error(graph, quantized, x) < 1e-2


def test_equalization_of_relu6_preserves_what_was_seen_and_spares_clamped_channels(
    scheme: QuantScheme, x: Tensor
) -> None:
    model = chain(nn.ReLU6)
    with torch.no_grad():
        model[0].bias[0] = 50.0
    graph = trace(model, (32, 32))
    balanced = equalize(graph, peaks(graph, x), scheme)
    torch.testing.assert_close(balanced.run(x)[0], graph.run(x)[0], atol=1e-5, rtol=1e-4)
    assert torch.equal(balanced["0"].weight[0], graph["0"].weight[0])
    assert not torch.equal(balanced["0"].weight, graph["0"].weight)


def test_equalization_helps_unbalanced_channels(scheme: QuantScheme, images, x: Tensor) -> None:
    graph = trace(chain(nn.ReLU), (32, 32))
    with torch.no_grad():
        # The small channels matter as much as the large ones.
        graph["4"].weight /= peaks(graph, x)["2"].clamp_min(1e-3).reshape(1, -1, 1, 1)
    error = [
        head_error(
            graph,
            calibrate(
                graph,
                scheme,
                images,
                QuantConfig(observer="mse", equalize=e, bias_correction=False),
            ),
            x,
        )
        for e in (False, True)
    ]
    assert error[1] < 0.5 * error[0]


def test_sqnr() -> None:
    ref = torch.tensor([3.0, 4.0])
    assert sqnr_db(ref, ref) == float("inf")
    # signal 25, noise 0.25: a ratio of 100
    assert sqnr_db(ref, ref + torch.tensor([0.5, 0.0])) == pytest.approx(20.0)
