"""CSPNeXt layers, shared by backbone and neck (Lyu et al., 2022, arXiv:2212.07784).

Module names are those of OpenMMLab's published checkpoints, so that their tensors load by key.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgectl.nn.blocks import ConvNormAct, SeparableConv


def conv3x3(
    in_chans: int, out_chans: int, *, stride: int = 1, depthwise: bool, act_layer: str
) -> nn.Module:
    """A 3x3 convolution, whole or separable."""
    kind = SeparableConv if depthwise else ConvNormAct
    return kind(in_chans, out_chans, 3, stride=stride, act_layer=act_layer)


class CspNextBlock(nn.Module):
    """3x3 convolution, then a separable 5x5 one; with the input added where ``identity``."""

    def __init__(self, chans: int, *, identity: bool, depthwise: bool, act_layer: str) -> None:
        super().__init__()
        self.conv1 = conv3x3(chans, chans, depthwise=depthwise, act_layer=act_layer)
        self.conv2 = SeparableConv(chans, chans, 5, act_layer=act_layer)
        self.identity = identity

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        y: Tensor = self.conv2(self.conv1(x))
        return x + y if self.identity else y


class ChannelAttention(nn.Module):
    """Each channel times a gate computed from all channels' averages."""

    def __init__(self, chans: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(chans, chans, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        gate: Tensor = self.gate(self.fc(x.mean(dim=(2, 3), keepdim=True)))
        return x * gate


class CspLayer(nn.Module):
    """Cross-stage partial layer: half the channels go through ``blocks`` blocks, half go past."""

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        blocks: int,
        *,
        identity: bool,
        attention: bool,
        depthwise: bool,
        act_layer: str,
    ) -> None:
        super().__init__()
        half = out_chans // 2
        self.main_conv = ConvNormAct(in_chans, half, 1, act_layer=act_layer)
        self.short_conv = ConvNormAct(in_chans, half, 1, act_layer=act_layer)
        self.blocks = nn.Sequential(
            *(
                CspNextBlock(half, identity=identity, depthwise=depthwise, act_layer=act_layer)
                for _ in range(blocks)
            )
        )
        self.attention = ChannelAttention(2 * half) if attention else nn.Identity()
        self.final_conv = ConvNormAct(2 * half, out_chans, 1, act_layer=act_layer)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_chans, H, W) to (N, out_chans, H, W)."""
        parts = [self.blocks(self.main_conv(x)), self.short_conv(x)]
        y: Tensor = self.final_conv(self.attention(torch.cat(parts, dim=1)))
        return y


class SpatialPyramid(nn.Module):
    """Max pools over 5, 9 and 13 cells beside the input (He et al., 2014, arXiv:1406.4729).

    A 5x5 pool applied two and three times is the pool over 9 and over 13, for less work.
    """

    def __init__(self, chans: int, *, act_layer: str) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(chans, chans // 2, 1, act_layer=act_layer)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)
        self.conv2 = ConvNormAct(chans // 2 * 4, chans, 1, act_layer=act_layer)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        scales = [self.conv1(x)]
        for _ in range(3):
            scales.append(self.pool(scales[-1]))
        y: Tensor = self.conv2(torch.cat(scales, dim=1))
        return y
