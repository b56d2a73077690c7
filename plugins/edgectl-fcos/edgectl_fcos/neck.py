"""Five levels from three: the feature pyramid (Lin et al., 2017, arXiv:1612.03144) with two coarser
levels made from its top (P6, P7), or BiFPN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from edgectl.nn.vision import vision
from edgectl_fcos.bifpn import BiFpn
from edgectl_fcos.config import FcosConfig


def build_neck(config: FcosConfig, channels: Sequence[int]) -> nn.Module:
    """Named maps of ``channels``, finest first, to five of ``config.out_channels`` at strides 8 to 128."""
    chans = config.out_channels
    if config.neck == "bifpn":
        return BiFpn(channels, chans, repeats=config.neck_repeats)
    pyramid = vision("ops.feature_pyramid_network")
    neck: nn.Module = pyramid.FeaturePyramidNetwork(
        list(channels), chans, extra_blocks=pyramid.LastLevelP6P7(chans, chans)
    )
    return neck
