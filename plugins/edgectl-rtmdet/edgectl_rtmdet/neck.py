"""CSPNeXt-PAFPN: features down the pyramid and up again (Liu et al., 2018, arXiv:1803.01534)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgectl.nn.blocks import ConvNormAct
from edgectl_rtmdet.cspnext import CspLayer, conv3x3


class CspNextPafpn(nn.Module):
    """Three feature maps, finest first, to three of ``out_chans`` channels at the same strides."""

    def __init__(
        self,
        channels: Sequence[int],
        out_chans: int,
        *,
        blocks: int,
        depthwise: bool,
        act_layer: str,
    ) -> None:
        super().__init__()

        def layer(in_chans: int, chans: int) -> CspLayer:
            return CspLayer(
                in_chans,
                chans,
                blocks,
                identity=False,
                attention=False,
                depthwise=depthwise,
                act_layer=act_layer,
            )

        # coarsest first, as the published checkpoints count
        down = list(zip(channels[::-1], channels[-2::-1], strict=False))
        up = list(itertools.pairwise(channels))
        self.reduce_layers = nn.ModuleList(
            ConvNormAct(coarse, fine, 1, act_layer=act_layer) for coarse, fine in down
        )
        self.top_down_blocks = nn.ModuleList(layer(2 * fine, fine) for _, fine in down)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.downsamples = nn.ModuleList(
            conv3x3(fine, fine, stride=2, depthwise=depthwise, act_layer=act_layer)
            for fine, _ in up
        )
        self.bottom_up_blocks = nn.ModuleList(layer(2 * fine, coarse) for fine, coarse in up)
        self.out_convs = nn.ModuleList(
            conv3x3(chans, out_chans, depthwise=depthwise, act_layer=act_layer)
            for chans in channels
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Finest first."""
        reduced: list[Tensor] = []
        top = features[-1]
        down = zip(self.reduce_layers, self.top_down_blocks, features[-2::-1], strict=True)
        for reduce, block, lateral in down:
            reduced.append(reduce(top))
            top = block(torch.cat([self.upsample(reduced[-1]), lateral], dim=1))
        merged = [top]
        up = zip(self.downsamples, self.bottom_up_blocks, reduced[::-1], strict=True)
        for downsample, block, lateral in up:
            merged.append(block(torch.cat([downsample(merged[-1]), lateral], dim=1)))
        return [conv(x) for conv, x in zip(self.out_convs, merged, strict=True)]
