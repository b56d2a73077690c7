"""BiFPN with plain sums: a pyramid of five levels, fused down and up again (Tan et al., 2020,
arXiv:1911.09070, without the learnt weights of the sums, which quantize badly)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from edgectl.nn.blocks import ConvNormAct

LEVELS = 5


class Fusion(nn.Module):
    """Sum, ReLU, separable 3x3 convolution, norm."""

    def __init__(self, chans: int) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.depthwise_conv = ConvNormAct(chans, chans, 3, groups=chans, act_layer=None)
        self.pointwise_conv = ConvNormAct(chans, chans, 1, act_layer=None)

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        """Tensors of one shape (N, C, H, W) to one of the same."""
        total = first
        for other in others:
            total = total + other
        y: Tensor = self.pointwise_conv(self.depthwise_conv(self.act(total)))
        return y


class BiFpnLayer(nn.Module):
    """Five maps of ``chans`` channels, finest first, to five of the same shapes."""

    def __init__(self, chans: int) -> None:
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.downsample = nn.MaxPool2d(3, stride=2, padding=1)
        self.down = nn.ModuleList(Fusion(chans) for _ in range(LEVELS - 1))
        self.up = nn.ModuleList(Fusion(chans) for _ in range(LEVELS - 1))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The same levels, each having seen all others."""
        middle = [features[-1]]
        for fuse, x in zip(self.down, features[-2::-1], strict=True):
            middle.insert(0, fuse(x, self.upsample(middle[0])))
        done = [middle[0]]
        inner = zip(self.up, features[1:], middle[1:], strict=True)
        for level, (fuse, x, between) in enumerate(inner, 1):
            # nothing lies between at the coarsest level: it is where the way down began
            sides = [x] if level == LEVELS - 1 else [x, between]
            done.append(fuse(*sides, self.downsample(done[-1])))
        return done


class BiFpn(nn.Module):
    """Three feature maps to five of ``out_chans`` channels, strides 8 to 128."""

    def __init__(self, channels: Sequence[int], out_chans: int, *, repeats: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(
            ConvNormAct(chans, out_chans, 1, act_layer=None) for chans in (*channels, channels[-1])
        )
        self.downsample = nn.MaxPool2d(3, stride=2, padding=1)
        self.layers = nn.Sequential(*(BiFpnLayer(out_chans) for _ in range(repeats)))

    def forward(self, features: OrderedDict[str, Tensor]) -> OrderedDict[str, Tensor]:
        """Finest first."""
        found = list(features.values())
        levels = [lateral(x) for lateral, x in zip(self.laterals, [*found, found[-1]], strict=True)]
        levels[-1] = self.downsample(levels[-1])
        levels.append(self.downsample(levels[-1]))
        return OrderedDict((str(n), x) for n, x in enumerate(self.layers(levels)))
