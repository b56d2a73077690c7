"""The ``[model]`` table of RTMDet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgectl.config.schema import Positive, StrictModel
from edgectl.nn.blocks import ActLayer


class RtmdetConfig(StrictModel):
    """Architecture, assigner, loss and decoding."""

    backbone: Literal["cspnext", "mobilenetv4_small", "mobilenetv2"] = "cspnext"
    deepen: Annotated[float, Field(gt=0.0)] = 0.33
    """Multiplier of the number of blocks."""
    widen: Annotated[float, Field(gt=0.0)] = 0.25
    """Multiplier of the number of channels."""
    stages: Literal[5, 6] = 6
    """Of MobileNetV2: with 5 one convolution takes the place of the sixth."""
    neck_blocks: Positive = 1
    """CSPNeXt blocks in each layer of the neck."""
    out_channels: Positive = 64
    """Channels of the neck's output and of the head."""
    depthwise: bool = False
    """Depthwise-separable convolutions in place of 3x3 ones."""
    attention: bool = True
    """Channel attention in the backbone."""
    share_convs: bool = False
    """One head for all levels, with norms of their own."""
    exp_on_reg: bool = False
    """The head predicts logarithms of distances."""
    prior_offset: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Where in its cell the point lies that boxes are measured from: 0 the corner, as published; 0.5 the
    center, as SSCMA's firmware has it."""
    act_layer: ActLayer = "silu"
    normalise: Literal["centred", "unit"] = "centred"
    """What the network sees: grey and ImageNet's deviation taken out, or pixel / 255 as microcontrollers
    feed it."""
    class_weight: Annotated[float, Field(ge=0.0)] = 1.0
    box_weight: Annotated[float, Field(ge=0.0)] = 2.0
    score_threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.001
    nms_threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.65
    pre_nms: Positive = 3000
    max_detections: Positive = 300
