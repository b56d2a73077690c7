"""MobileNetV2 as a backbone for the smallest devices: its ImageNet weights are worth more than width."""

from __future__ import annotations

from torch import Tensor, nn

from edgectl.nn.blocks import ACTIVATIONS, SeparableConv
from edgectl.nn.mobilenetv2 import MobileNetV2

_FINE, _MIDDLE, _COARSE = 3, 5, 6
"""Stages that end strides 8, 16 and 32."""
_ADDED = 64


class MobileNetV2Pyramid(nn.Module):
    """(N, in_chans, H, W) to three feature maps at strides 8, 16 and 32. ``channels``: of the three.

    Args:
        stages: 6 takes the coarsest map from the network's sixth stage, which holds half of all weights; 5
            puts one strided separable convolution in its place.
    """

    def __init__(self, *, width: float, stages: int, act_layer: str, in_chans: int = 3) -> None:
        super().__init__()
        self.body = MobileNetV2(width, stages, ACTIVATIONS[act_layer], in_chans)
        widths = self.body.widths
        self.channels = (widths[_FINE - 1], widths[_MIDDLE - 1], _ADDED)
        self.added: nn.Module | None = None
        if stages == _COARSE:
            self.channels = (*self.channels[:2], widths[_COARSE - 1])
        else:
            self.added = SeparableConv(self.channels[1], _ADDED, 3, stride=2, act_layer=act_layer)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Finest first."""
        features, begin = [], 0
        for stage in (_FINE, _MIDDLE, _COARSE):
            if stage == _COARSE and self.added is not None:
                x = self.added(x)
            else:
                end = self.body.ends[stage - 1]
                for block in list(self.body)[begin:end]:
                    x = block(x)
                begin = end
            features.append(x)
        return features
