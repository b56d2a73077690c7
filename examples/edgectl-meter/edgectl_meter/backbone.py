"""Inverted residuals (Sandler et al., 2018, arXiv:1801.04381), to a sixteenth of the input."""

from __future__ import annotations

from torch import Tensor, nn

from edgectl.nn.blocks import ConvNormAct

_EXPANSION = 2


class InvertedResidual(nn.Module):
    """(N, C, H, W) to (N, out_chans, H/s, W/s); adds its input where the shapes allow it."""

    def __init__(self, in_chans: int, out_chans: int, stride: int) -> None:
        super().__init__()
        middle = _EXPANSION * in_chans
        self.layers = nn.Sequential(
            ConvNormAct(in_chans, middle, 1, act_layer="relu6"),
            ConvNormAct(middle, middle, 3, stride=stride, groups=middle, act_layer="relu6"),
            ConvNormAct(middle, out_chans, 1, act_layer=None),
        )
        self.residual = stride == 1 and in_chans == out_chans

    def forward(self, x: Tensor) -> Tensor:
        """Expand, filter, project."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class Backbone(nn.Module):
    """(N, in_chans, H, W) to features at 1/8, (N, 2w, H/8, W/8), and at 1/16, (N, 4w, H/16, W/16)."""

    def __init__(self, width: int, in_chans: int = 3) -> None:
        super().__init__()
        self.stem = ConvNormAct(in_chans, width, 3, stride=2, act_layer="relu6")
        self.to_eighth = nn.Sequential(
            InvertedResidual(width, width, 2),
            InvertedResidual(width, width, 1),
            InvertedResidual(width, 2 * width, 2),
            InvertedResidual(2 * width, 2 * width, 1),
        )
        self.to_sixteenth = nn.Sequential(
            InvertedResidual(2 * width, 4 * width, 2),
            InvertedResidual(4 * width, 4 * width, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Finer features first."""
        eighth: Tensor = self.to_eighth(self.stem(x))
        return eighth, self.to_sixteenth(eighth)
