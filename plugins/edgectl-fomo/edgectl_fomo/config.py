"""The ``[model]`` table of FOMO."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgectl.config.schema import Positive, StrictModel


class FomoConfig(StrictModel):
    """Architecture, targets and loss."""

    width: Annotated[float, Field(gt=0.0)] = 0.35
    """MobileNetV2's width multiplier."""
    stages: Annotated[int, Field(ge=1, le=7)] = 3
    """Inverted-residual stages used; 3 ends at stride 8, 5 at stride 16."""
    head_channels: Positive = 48
    act_layer: Literal["relu6", "relu"] = "relu6"
    object_weight: Annotated[float, Field(gt=0.0)] = 5.0
    """Weight of a cell with an object against one without."""
    spread: Annotated[float, Field(ge=0.0, le=1.0)] = 0.17
    """How far an object's center blurs, as a share of its size; 0 makes every cell beside it
    background with full weight."""
    shift_targets: bool = False
    """Put targets one cell up and left, as SSCMA trains: only to compare with its weights."""
