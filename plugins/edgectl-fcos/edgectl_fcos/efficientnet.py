"""EfficientNet-B0 without squeeze-excitation, ReLU in place of swish (Tan and Le, 2019, arXiv:1905.11946).

So NPUs run it: two ops fewer, ranges that quantize. Parameter names are torchvision's, where what is
left out keeps its place in the numbering, so its weights load by key as far as they fit.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

# (expansion, kernel, stride, in, out, blocks)
_STAGES: tuple[tuple[int, int, int, int, int, int], ...] = (
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
)
_TAPS = (3, 5, 7)
"""Stages at strides 8, 16 and 32."""


def _conv(
    in_chans: int,
    out_chans: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    act: bool = True,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(in_chans, out_chans, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_chans),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if act else []))


class InvertedResidual(nn.Module):
    """1x1 convolution that widens, depthwise one, 1x1 that narrows (Sandler et al., 2018,
    arXiv:1801.04381)."""

    def __init__(
        self, expansion: int, kernel: int, stride: int, in_chans: int, out_chans: int
    ) -> None:
        super().__init__()
        wide = in_chans * expansion
        self.block = nn.Sequential(
            *([_conv(in_chans, wide, 1)] if expansion > 1 else []),
            _conv(wide, wide, kernel, stride=stride, groups=wide),
            nn.Identity(),  # squeeze-excitation in the original
            _conv(wide, out_chans, 1, act=False),
        )
        self.shortcut = stride == 1 and in_chans == out_chans

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_chans, H, W) to (N, out_chans, H / stride, W / stride)."""
        y: Tensor = self.block(x)
        return x + y if self.shortcut else y


class EfficientNetB0(nn.Module):
    """(N, in_chans, H, W) to three feature maps at strides 8, 16 and 32.

    Attributes:
        channels: of the three, finest first.
    """

    channels = tuple(_STAGES[tap - 1][4] for tap in _TAPS)

    def __init__(self, in_chans: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(_conv(in_chans, _STAGES[0][3], 3, stride=2))
        for expansion, kernel, stride, into, out_chans, blocks in _STAGES:
            first = InvertedResidual(expansion, kernel, stride, into, out_chans)
            rest = [
                InvertedResidual(expansion, kernel, 1, out_chans, out_chans)
                for _ in range(blocks - 1)
            ]
            self.features.append(nn.Sequential(first, *rest))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if isinstance(module, InvertedResidual) and module.shortcut:
                # blocks begin as identities (Goyal et al., 2017, arXiv:1706.02677), which is
                # quicker from scratch
                narrow = module.block[-1]
                assert isinstance(narrow, nn.Sequential)
                assert isinstance(narrow[1], nn.BatchNorm2d)
                nn.init.zeros_(narrow[1].weight)

    @property
    def stem(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """First convolution and its norm."""
        first = self.features[0]
        assert isinstance(first, nn.Sequential)
        conv, norm = first[0], first[1]
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        return conv, norm

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Finest first."""
        found: OrderedDict[str, Tensor] = OrderedDict()
        for number, stage in enumerate(self.features):
            x = stage(x)
            if number in _TAPS:
                found[str(len(found))] = x
        return found
