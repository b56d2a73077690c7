"""Depthwise convolutions in float32: the same network, names and all."""

from __future__ import annotations

import torch
from torch import nn

from edgectl.nn.blocks import SeparableConv
from edgectl.nn.depthwise import WideDepthwise, widen_depthwise


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        SeparableConv(8, 16, 3, stride=2, act_layer="relu"),
        SeparableConv(16, 16, 5, act_layer="relu"),
        SeparableConv(16, 16, 3, act_layer="relu"),
        nn.Conv2d(16, 4, 1),
    )


def wide(model: nn.Module) -> list[str]:
    return [name for name, m in model.named_modules() if isinstance(m, WideDepthwise)]


def test_parameters_stay_the_very_same() -> None:
    model = network()
    before = dict(model.named_parameters())
    after = dict(widen_depthwise(model).named_parameters())
    assert list(before) == list(after)
    assert all(before[name] is after[name] for name in before)


def test_the_fast_shape_and_dense_convolutions_are_left_alone() -> None:
    assert wide(widen_depthwise(network())) == ["0.depthwise_conv.conv", "1.depthwise_conv.conv"]


def test_float32_is_untouched_and_bfloat16_keeps_its_format() -> None:
    plain, model = network(), widen_depthwise(network())
    x = torch.randn(2, 8, 16, 16)
    torch.testing.assert_close(model(x), plain(x), rtol=0, atol=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, expected = model(x), plain(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), expected.float(), rtol=0.05, atol=0.05)


def test_gradients_reach_the_weights_in_float32() -> None:
    conv = nn.Conv2d(8, 8, 5, padding=2, groups=8)
    x = torch.randn(4, 8, 16, 16, generator=torch.Generator().manual_seed(1))
    (exact,) = torch.autograd.grad((conv(x) ** 2).sum(), conv.weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = widen_depthwise(conv)(x)
    (gradient,) = torch.autograd.grad((y**2).sum(), conv.weight)
    torch.testing.assert_close(gradient, exact)
