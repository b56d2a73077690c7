"""FOMO's head: two 1x1 convolutions; channel 0 is the background."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn

_PRIOR = 0.05
"""Share of cells taken for objects before training, so that the first steps are not spent on it."""


class FomoHead(nn.Module):
    """(N, in_chans, H, W) features to (N, num_classes + 1, H, W) raw logits."""

    def __init__(
        self, in_chans: int, hidden: int, num_classes: int, act_layer: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_chans, hidden, 1, bias=False)
        self.norm = nn.BatchNorm2d(hidden, eps=1e-3, momentum=0.03)
        self.act = act_layer()
        self.predict = nn.Conv2d(hidden, num_classes + 1, 1)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")
        nn.init.normal_(self.predict.weight, std=0.01)
        assert self.predict.bias is not None
        logit = math.log(_PRIOR / (1 - _PRIOR))
        nn.init.constant_(self.predict.bias, logit)
        nn.init.constant_(self.predict.bias[:1], -logit)

    def forward(self, x: Tensor) -> Tensor:
        """Raw logits, background first."""
        y: Tensor = self.predict(self.act(self.norm(self.conv(x))))
        return y
