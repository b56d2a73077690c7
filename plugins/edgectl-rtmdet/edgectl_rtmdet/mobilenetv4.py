"""MobileNetV4-Conv-Small as a backbone (Qin et al., 2024, arXiv:2404.10518, table 5)."""

from __future__ import annotations

from torch import Tensor, nn

from edgectl.nn.blocks import ConvNormAct


class InvertedBottleneck(nn.Module):
    """The universal inverted bottleneck: an optional depthwise convolution before the expansion and
    another after it.

    Args:
        start, middle: kernel sizes of the two depthwise convolutions, 0 for none.
        expand: multiplier of the inner channels.
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        *,
        start: int,
        middle: int,
        stride: int,
        expand: float,
        act_layer: str,
    ) -> None:
        super().__init__()
        inner = int(in_chans * expand)
        layers: list[nn.Module] = []
        if start:
            # the later depthwise convolution, where there is one, does the down-sampling
            step = 1 if middle else stride
            layers.append(
                ConvNormAct(in_chans, in_chans, start, stride=step, groups=in_chans, act_layer=None)
            )
        layers.append(ConvNormAct(in_chans, inner, 1, act_layer=act_layer))
        if middle:
            layers.append(
                ConvNormAct(inner, inner, middle, stride=stride, groups=inner, act_layer=act_layer)
            )
        layers.append(ConvNormAct(inner, out_chans, 1, act_layer=None))
        self.layers = nn.Sequential(*layers)
        self.identity = stride == 1 and in_chans == out_chans

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, out_chans, H/s, W/s)."""
        y: Tensor = self.layers(x)
        return x + y if self.identity else y


# (start, middle, stride, out_chans, expand)
_STRIDE16 = (
    (5, 5, 2, 96, 3.0),
    (0, 3, 1, 96, 2.0),
    (0, 3, 1, 96, 2.0),
    (0, 3, 1, 96, 2.0),
    (0, 3, 1, 96, 2.0),
    (3, 0, 1, 96, 4.0),
)
_STRIDE32 = (
    (3, 3, 2, 128, 6.0),
    (5, 5, 1, 128, 4.0),
    (0, 5, 1, 128, 4.0),
    (0, 5, 1, 128, 3.0),
    (0, 3, 1, 128, 4.0),
    (0, 3, 1, 128, 4.0),
)


def _blocks(
    in_chans: int, rows: tuple[tuple[int, int, int, int, float], ...], act_layer: str
) -> nn.Sequential:
    made = []
    for start, middle, stride, out_chans, expand in rows:
        made.append(
            InvertedBottleneck(
                in_chans,
                out_chans,
                start=start,
                middle=middle,
                stride=stride,
                expand=expand,
                act_layer=act_layer,
            )
        )
        in_chans = out_chans
    return nn.Sequential(*made)


class MobileNetV4Small(nn.Module):
    """(N, in_chans, H, W) to three feature maps at strides 8, 16 and 32. ``channels``: of the three."""

    def __init__(self, *, act_layer: str, in_chans: int = 3) -> None:
        super().__init__()
        self.channels = (64, 96, 128)
        self.stem = nn.Sequential(
            ConvNormAct(in_chans, 32, 3, stride=2, act_layer=act_layer),
            ConvNormAct(32, 32, 3, stride=2, act_layer=act_layer),
            ConvNormAct(32, 32, 1, act_layer=act_layer),
            ConvNormAct(32, 96, 3, stride=2, act_layer=act_layer),
            ConvNormAct(96, 64, 1, act_layer=act_layer),
        )
        self.stage3 = _blocks(64, _STRIDE16, act_layer)
        self.stage4 = _blocks(96, _STRIDE32, act_layer)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Finest first."""
        fine = self.stem(x)
        middle = self.stage3(fine)
        return [fine, middle, self.stage4(middle)]
