"""The ``[model]`` table of FCOS."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from edgectl.config.schema import Positive, StrictModel

GROUPS = 32
"""Number of groups of the group norm."""


class FcosConfig(StrictModel):
    """Architecture, assignment, loss and decoding."""

    backbone: Literal["resnet18", "resnet50", "efficientnet_b0"] = "efficientnet_b0"
    neck: Literal["fpn", "bifpn"] = "bifpn"
    neck_repeats: Positive = 3
    """Passes down and up the pyramid; bifpn only."""
    out_channels: Positive = 64
    """Channels of the neck's output and of the head."""
    stacked_convs: Positive = 4
    """Convolutions of each branch of the head, before its predictors."""
    depthwise: bool = True
    """Depthwise-separable convolutions in the head."""
    norm: Literal["bn", "gn"] = "bn"
    """Norm of the head. Group norm (32 groups) does not fold into a convolution: float devices only."""
    share_head: bool = False
    """One head for all levels; batch norms, unlike group norms, stay a level's own."""
    level_scales: bool = False
    """A learnt factor a level on the distances, for heads that are shared."""
    norm_on_bbox: bool = True
    """Distances are max(0, raw) in units of the stride; else exp(raw), in pixels."""
    centerness_on_reg: bool = True
    """Center-ness is predicted beside the box; else beside the class."""
    point_offset: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """Place of a prior in its cell; torchvision's weights were trained with 0."""
    normalise: Literal["imagenet", "centred", "signed"] = "signed"
    """What the network sees: ImageNet's mean and deviation; grey taken out and ImageNet's deviation; or
    (pixel - 128) / 128."""
    assigner: Literal["ranges", "dynamic"] = "dynamic"
    """By a box's size and nesting, as published; or by what the predictions cost."""
    center_sampling: bool = True
    """ranges: only points within ``center_radius`` strides of an object's center."""
    center_radius: Annotated[float, Field(gt=0.0)] = 1.5
    box_loss: Literal["iou", "giou"] = "giou"
    weigh_boxes: bool = True
    """Boxes count by their center-ness, as published; torchvision's implementation counts all alike."""
    box_weight: Annotated[float, Field(ge=0.0)] = 1.0
    centerness_weight: Annotated[float, Field(ge=0.0)] = 1.0
    score_threshold: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    nms_threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    pre_nms: Positive = 1000
    """Candidates of each level."""
    max_detections: Positive = 100

    @field_validator("norm")
    @classmethod
    def _check_norm(cls, norm: str, info: ValidationInfo) -> str:
        chosen = info.data
        if norm == "gn" and (chosen.get("depthwise") or chosen.get("out_channels", 0) % GROUPS):
            raise ValueError(f"needs depthwise = false, and out_channels a multiple of {GROUPS}")
        return norm
