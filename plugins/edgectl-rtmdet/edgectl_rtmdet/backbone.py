"""CSPNeXt-P5 (Lyu et al., 2022, arXiv:2212.07784, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn

from edgectl.nn.blocks import ConvNormAct
from edgectl_rtmdet.cspnext import CspLayer, SpatialPyramid, conv3x3

# (in, out, blocks, identity, spatial pyramid) at widen = deepen = 1
_STAGES: tuple[tuple[int, int, int, bool, bool], ...] = (
    (64, 128, 3, True, False),
    (128, 256, 6, True, False),
    (256, 512, 6, True, False),
    (512, 1024, 3, False, True),
)


class CspNext(nn.Module):
    """(N, in_chans, H, W) to three feature maps at strides 8, 16 and 32.

    Attributes:
        channels: of the three, finest first.
    """

    def __init__(
        self,
        *,
        deepen: float,
        widen: float,
        depthwise: bool,
        attention: bool,
        act_layer: str,
        in_chans: int = 3,
    ) -> None:
        super().__init__()
        base = int(64 * widen)
        self.channels = tuple(int(out * widen) for _, out, *_ in _STAGES[1:])
        self.stem = nn.Sequential(
            ConvNormAct(in_chans, base // 2, 3, stride=2, act_layer=act_layer),
            ConvNormAct(base // 2, base // 2, 3, act_layer=act_layer),
            ConvNormAct(base // 2, base, 3, act_layer=act_layer),
        )
        for number, (in_chans, out_chans, blocks, identity, pyramid) in enumerate(_STAGES, 1):
            into, out = int(in_chans * widen), int(out_chans * widen)
            down = conv3x3(into, out, stride=2, depthwise=depthwise, act_layer=act_layer)
            layer = CspLayer(
                out,
                out,
                max(round(blocks * deepen), 1),
                identity=identity,
                attention=attention,
                depthwise=depthwise,
                act_layer=act_layer,
            )
            middle = [SpatialPyramid(out, act_layer=act_layer)] if pyramid else []
            self.add_module(f"stage{number}", nn.Sequential(down, *middle, layer))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Finest first."""
        x = self.stem(x)
        features = []
        for number in range(1, len(_STAGES) + 1):
            x = self.get_submodule(f"stage{number}")(x)
            features.append(x)
        return features[1:]
