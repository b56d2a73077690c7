"""Convolution, norm, activation: the block every family is built from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

ActLayer = Literal["silu", "relu", "relu6", "hardswish"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
}
"""Activations by the name configurations use."""


class ConvNormAct(nn.Module):
    """Convolution without bias, batch norm, activation. (N, C, H, W) to (N, out_chans, H/s, W/s).

    Args:
        act_layer: key of :data:`ACTIVATIONS`; None leaves the activation out.
        padding: None keeps the size at stride 1.
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        act_layer: str | None = "silu",
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_chans,
            out_chans,
            kernel_size,
            stride,
            kernel_size // 2 if padding is None else padding,
            groups=groups,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(out_chans)
        self.act = nn.Identity() if act_layer is None else ACTIVATIONS[act_layer]()

    def forward(self, x: Tensor) -> Tensor:
        """The three in order."""
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class SeparableConv(nn.Module):
    """Depthwise k x k, then pointwise, each with norm and activation (Howard et al., 2017,
    arXiv:1704.04861)."""

    def __init__(
        self, in_chans: int, out_chans: int, kernel_size: int, *, stride: int = 1, act_layer: str
    ) -> None:
        super().__init__()
        self.depthwise_conv = ConvNormAct(
            in_chans, in_chans, kernel_size, stride=stride, groups=in_chans, act_layer=act_layer
        )
        self.pointwise_conv = ConvNormAct(in_chans, out_chans, 1, act_layer=act_layer)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_chans, H/s, W/s)."""
        y: Tensor = self.pointwise_conv(self.depthwise_conv(x))
        return y
