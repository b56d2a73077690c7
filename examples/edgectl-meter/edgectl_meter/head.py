"""Coordinates from features of several scales (Guo et al., 2019, PFLD, arXiv:1902.10859, figure 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgectl.nn.blocks import ConvNormAct


class PointHead(nn.Module):
    """Averages of both feature maps beside one convolution as large as the coarser map, then a linear layer.

    Args:
        fine, coarse: channels of the two feature maps.
        grid: cells a side of the coarser one.
        points: key points.
    """

    def __init__(self, fine: int, coarse: int, *, hidden: int, grid: int, points: int) -> None:
        super().__init__()
        self.whole = ConvNormAct(coarse, hidden, grid, padding=0, act_layer="relu6")
        self.linear = nn.Linear(fine + coarse + hidden, 2 * points)
        # the middle of the image until something is learned
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.constant_(self.linear.bias, 0.5)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(N, 2 * points): x and y of every point, shares of the input's sides."""
        means = [f.mean((2, 3), keepdim=True) for f in (fine, coarse)]
        joined = torch.cat([*means, self.whole(coarse)], dim=1)
        points: Tensor = self.linear(joined.flatten(1))
        return points
