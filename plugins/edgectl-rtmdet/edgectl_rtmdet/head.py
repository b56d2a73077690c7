"""RTMDet's head: two branches a level; where convolutions are shared, norms are not (SepBN)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from edgectl.nn.blocks import ConvNormAct, SeparableConv
from edgectl_rtmdet.cspnext import conv3x3

STRIDES = (8, 16, 32)
_STACKED = 2
_PRIOR = 0.01
"""Probability every class starts from (Lin et al., 2017, arXiv:1708.02002)."""


class SepBnHead(nn.Module):
    """Three (N, chans, h, w) maps to three class tensors (N, num_classes, h, w) and three distance
    tensors (N, 4, h, w): raw logits, and left, top, right, bottom in units of the stride.
    """

    def __init__(
        self, chans: int, num_classes: int, *, share_convs: bool, depthwise: bool, act_layer: str
    ) -> None:
        super().__init__()

        def branch() -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(
                    *(
                        conv3x3(chans, chans, depthwise=depthwise, act_layer=act_layer)
                        for _ in range(_STACKED)
                    )
                )
                for _ in STRIDES
            )

        self.cls_convs, self.reg_convs = branch(), branch()
        self.rtm_cls = nn.ModuleList(nn.Conv2d(chans, num_classes, 1) for _ in STRIDES)
        self.rtm_reg = nn.ModuleList(nn.Conv2d(chans, 4, 1) for _ in STRIDES)
        if share_convs:
            _share(self.cls_convs)
            _share(self.reg_convs)
        for predictor in (*self.rtm_cls, *self.rtm_reg):
            assert isinstance(predictor, nn.Conv2d)
            assert predictor.bias is not None
            nn.init.normal_(predictor.weight, std=0.01)
            nn.init.zeros_(predictor.bias)
        for predictor in self.rtm_cls:
            assert isinstance(predictor.bias, nn.Parameter)
            nn.init.constant_(predictor.bias, -math.log((1 - _PRIOR) / _PRIOR))

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Class tensors first, finest level first."""
        classes = [
            predict(convs(x))
            for convs, predict, x in zip(self.cls_convs, self.rtm_cls, features, strict=True)
        ]
        distances = [
            predict(convs(x))
            for convs, predict, x in zip(self.reg_convs, self.rtm_reg, features, strict=True)
        ]
        return (*classes, *distances)


def _share(levels: nn.ModuleList) -> None:
    """Every level computes with the first level's convolutions."""
    first = levels[0]
    assert isinstance(first, nn.Sequential)
    for level in levels[1:]:
        assert isinstance(level, nn.Sequential)
        for own, shared in zip(level, first, strict=True):
            if isinstance(own, ConvNormAct) and isinstance(shared, ConvNormAct):
                own.conv = shared.conv
            if isinstance(own, SeparableConv) and isinstance(shared, SeparableConv):
                own.depthwise_conv.conv = shared.depthwise_conv.conv
                own.pointwise_conv.conv = shared.pointwise_conv.conv
