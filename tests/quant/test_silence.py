"""A channel that died in training must not wake up in int8."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.nn.blocks import ConvNormAct
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.rewrite.mute_channels import silence
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import relative_error

SIZE = (16, 16)
DEAD = 3


@pytest.fixture
def graph() -> QuantGraph:
    """Channel 3 is a constant off the int8 grid; the batch norm behind it knows no variance."""
    torch.manual_seed(0)
    first = ConvNormAct(3, 8, 3, act_layer="relu")
    depthwise = ConvNormAct(8, 8, 1, groups=8, act_layer=None)
    with torch.no_grad():
        first.conv.weight[DEAD] = 0.0
        first.bn.bias[DEAD] = 0.4321
        assert depthwise.bn.running_mean is not None and depthwise.bn.running_var is not None
        depthwise.bn.running_mean[DEAD] = 0.4321 * depthwise.conv.weight[DEAD].sum()
        depthwise.bn.running_var[DEAD] = 1e-16
        depthwise.conv.weight[DEAD] *= 20.0
        depthwise.bn.running_mean[DEAD] *= 20.0
    return trace(nn.Sequential(first, depthwise, nn.Conv2d(8, 4, 1)).eval(), SIZE)


@pytest.fixture
def x() -> Tensor:
    return torch.rand(6, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def error(graph: QuantGraph, x: Tensor, config: QuantConfig, scheme) -> float:
    quantized = calibrate(graph, scheme, lambda: [x], config)
    with torch.no_grad():
        return relative_error(graph.run(x), simulate(quantized, x))


def test_the_dead_channel_alone_is_silenced(graph: QuantGraph, x: Tensor, scheme) -> None:
    quiet, count = silence(graph, x, scheme)
    assert count == 1
    depthwise = [n for n in quiet if n.op == "conv"][1]
    assert depthwise.weight is not None
    assert depthwise.weight.abs().flatten(1).amax(1).eq(0).nonzero().tolist() == [[DEAD]]
    with torch.no_grad():
        torch.testing.assert_close(quiet.run(x), graph.run(x), rtol=1e-3, atol=1e-3)
    assert silence(quiet, x, scheme)[1] == 0


def test_int8_is_saved_by_it(graph: QuantGraph, x: Tensor, scheme) -> None:
    plain = {"observer": "mse", "equalize": False, "bias_correction": False}
    with_it = error(graph, x, QuantConfig.model_validate(plain), scheme)
    without = error(graph, x, QuantConfig.model_validate({**plain, "silence": False}), scheme)
    assert with_it < 0.01 < without


def test_the_default_says_what_it_did(graph: QuantGraph, x: Tensor, scheme) -> None:
    said: list[str] = []
    calibrate(graph, scheme, lambda: [x], QuantConfig(), said.append)
    assert any(line.startswith("1 channel of noise silenced") for line in said)


def test_a_channel_that_is_only_rarely_heard_stays(x: Tensor, scheme) -> None:
    """Off on every image of the sample, with weights like its neighbors'."""
    torch.manual_seed(0)
    conv = ConvNormAct(3, 8, 3, act_layer="relu")
    with torch.no_grad():
        conv.bn.bias[DEAD] = -10.0
    graph = trace(nn.Sequential(conv, nn.Conv2d(8, 4, 1)).eval(), SIZE)
    assert silence(graph, x, scheme)[1] == 0
