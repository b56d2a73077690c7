from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.errors import DataError
from edgectl.quant.calibrate import calibrate
from edgectl.quant.evidence import Evidence
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.rewrite.bias_correction import correct_biases
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


@pytest.mark.parametrize("rival", ["minmax", "mse", "downstream"])
def test_the_default_is_not_behind_its_settings_on_the_judging_images(
    rival: str, fomo_graph: QuantGraph, scheme: QuantScheme, images
) -> None:
    evidence = Evidence(fomo_graph, images)
    errors = [
        evidence.judge(calibrate(fomo_graph, scheme, images, QuantConfig(observer=o, **more)))
        for o, more in (("auto", {}), (rival, {**PLAIN, "split_silu": 0.0, "seconds": 0.0}))
    ]
    assert errors[0] <= errors[1]


def test_the_same_images_give_the_same_parameters(
    fomo_graph: QuantGraph, scheme: QuantScheme, images
) -> None:
    one, other = (calibrate(fomo_graph, scheme, images, QuantConfig()) for _ in range(2))
    assert one.activations == other.activations
    for node in one.graph:
        if node.bias is not None:
            assert torch.equal(node.bias, other.graph[node.name].bias)
            assert torch.equal(one.weight_scales[node.name], other.weight_scales[node.name])


def test_images_that_judge_do_not_choose(fomo_graph: QuantGraph, images) -> None:
    many = torch.cat(list(images()) * 4)  # 64, of 16 different ones
    numbered = many + 1e-3 * torch.arange(64).reshape(-1, 1, 1, 1)
    evidence = Evidence(fomo_graph, lambda: numbered.split(10))
    seen = [
        torch.cat(list(chunks))
        for chunks in (evidence.choosing, evidence.judging, evidence.statistics_images())
    ]
    assert [len(s) for s in seen] == [16, 16, 48]
    choosing, judging, counted = ({float(i.sum()) for i in s} for s in seen)
    assert not judging & counted and choosing <= counted


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
        for o in ("minmax", "downstream", "auto")
    }
    error = {o: head_error(graph, q, x) for o, q in found.items()}
    assert all(error[o] < 0.5 * error["minmax"] for o in ("downstream", "auto"))
    spread = found["downstream"].activations["spread"]
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
    assert "ranges by" in words and "bias correction" in words


def test_no_images(fomo_graph: QuantGraph, scheme: QuantScheme) -> None:
    with pytest.raises(DataError, match="no calibration images"):
        calibrate(fomo_graph, scheme, list, QuantConfig())


def test_bias_correction_moves_the_mean_back(
    fomo_graph: QuantGraph, scheme: QuantScheme, images, x: Tensor
) -> None:
    coarse = replace(scheme, weight_range=(-3, 3))
    quantized = calibrate(fomo_graph, coarse, images, QuantConfig(observer="minmax", **PLAIN))
    with torch.no_grad():
        (want,) = fomo_graph.run(x)
    shift = [
        float((simulate(q, x)[0] - want).mean(dim=(0, 2, 3)).abs().max())
        for q in (quantized, correct_biases(quantized, x.split(5)))
    ]
    assert shift[0] > 0.01
    assert shift[1] < 0.1 * shift[0]


def test_sqnr() -> None:
    ref = torch.tensor([3.0, 4.0])
    assert sqnr_db(ref, ref) == float("inf")
    # signal 25, noise 0.25: a ratio of 100
    assert sqnr_db(ref, ref + torch.tensor([0.5, 0.0])) == pytest.approx(20.0)
