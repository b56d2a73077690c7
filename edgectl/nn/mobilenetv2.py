"""MobileNetV2, cut after the stages a family needs (Sandler et al., 2018, arXiv:1801.04381).

Weights are read by torchvision's key names, their normalization folded in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.nn.state import UNIT, Normalization, load_by_key, read_state, renormalize
from edgectl.nn.stem import color_stem

_SETTINGS = (
    # expansion, channels, blocks, stride of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM = 32
# of the TensorFlow originals, which the published small-width weights come from
_BN_EPS = 1e-3
# short runs on small sets: the default 0.1 follows single batches
_BN_MOMENTUM = 0.03


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Nearest multiple of ``divisor``, at least one, never below 90 % of ``channels``."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, activation.

    Stride 2 pads bottom and right only. That is TensorFlow's SAME on even sizes: the small-width
    ImageNet weights were trained so, and a TFLite file needs no PAD copy of the tensor.
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        act_layer: Callable[[], nn.Module] | None,
    ) -> None:
        padding = kernel // 2 if stride == 1 else 0
        layers: list[nn.Module] = [
            nn.Conv2d(in_chans, out_chans, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(out_chans, eps=_BN_EPS, momentum=_BN_MOMENTUM),
        ]
        if act_layer is not None:
            layers.append(act_layer())
        super().__init__(*layers)
        self._border = kernel // 2 if stride == 2 else 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride)."""
        if self._border:
            x = F.pad(x, (0, self._border, 0, self._border))
        for layer in self:
            x = layer(x)
        return x


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; added to the input where shapes agree."""

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        *,
        stride: int,
        expansion: int,
        act_layer: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        hidden = in_chans * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(ConvNormAct(in_chans, hidden, 1, act_layer=act_layer))
        layers.append(
            ConvNormAct(hidden, hidden, 3, stride=stride, groups=hidden, act_layer=act_layer)
        )
        layers.append(ConvNormAct(hidden, out_chans, 1, act_layer=None))
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and in_chans == out_chans

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Sequential):
    """The stem and the first ``stages`` stages, as one sequence of blocks.

    ``stride`` and ``out_chans`` describe the output; ``ends`` and ``widths`` each stage: how many blocks lie
    before its end, and its channels.
    """

    def __init__(
        self, width: float, stages: int, act_layer: Callable[[], nn.Module], in_chans: int = 3
    ) -> None:
        channels = make_divisible(_STEM * width)
        blocks: list[nn.Module] = [
            ConvNormAct(in_chans, channels, 3, stride=2, act_layer=act_layer)
        ]
        total = 2
        ends, widths = [], []
        for expansion, base, repeats, stride in _SETTINGS[:stages]:
            out_chans = make_divisible(base * width)
            for i in range(repeats):
                blocks.append(
                    InvertedResidual(
                        channels,
                        out_chans,
                        stride=stride if i == 0 else 1,
                        expansion=expansion,
                        act_layer=act_layer,
                    )
                )
                channels = out_chans
            total *= stride
            ends.append(len(blocks))
            widths.append(channels)
        super().__init__(*blocks)
        self.out_chans, self.stride = channels, total
        self.ends, self.widths = tuple(ends), tuple(widths)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")


def load_mobilenetv2(
    backbone: MobileNetV2, path: Path, trained_on: Normalization | None
) -> dict[str, Any]:
    """Loads every tensor that fits and says which did not.

    Our networks see pixel / 255; weights trained on (pixel - mean) / std are rewritten for that.

    Returns:
        ``{"matched": n, "of": m, "missing": [names]}``.

    Raises:
        ArtifactError: not a file of tensors, or not one tensor fits.
    """
    stem = backbone[0]
    assert isinstance(stem, nn.Sequential)
    conv, norm = stem[0], stem[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    with color_stem(conv, UNIT) as seen:
        report = load_by_key(
            backbone,
            read_state(path),
            where=path,
            fix="use MobileNetV2 weights of the variant's width, or --weights none",
            rename=lambda name: torchvision_key(backbone, name),
        )
        if trained_on is not None and "0.0.weight" not in report["missing"]:
            renormalize(conv, norm, trained_on, seen)
    return report


def torchvision_key(backbone: MobileNetV2, name: str) -> str:
    """``1.conv.1.0.weight`` (ours) to ``features.1.conv.1.weight``.

    torchvision writes a block's projection and its norm as two plain entries, not as a sequence.
    """
    parts = name.split(".")
    block = backbone[int(parts[0])]
    if isinstance(block, InvertedResidual):
        last = len(block.conv) - 1
        if int(parts[2]) == last:
            return f"features.{parts[0]}.conv.{last + int(parts[3])}.{parts[4]}"
    return f"features.{name}"
