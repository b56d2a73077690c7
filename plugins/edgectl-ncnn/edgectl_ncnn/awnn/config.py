"""The ``[backend.awnn]`` table."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgectl.config.schema import StrictModel


class AwnnConfig(StrictModel):
    """How the int8 file is computed."""

    weights: Literal["per_channel", "per_tensor"] = "per_channel"
    """per_channel: a 10-bit factor for each output channel; per_tensor: one scale a layer."""
    grid: bool = True
    """Move weight scales to where the coarse 16-bit multiplier is exact."""
    maixhub_images: int = Field(50, ge=1)
    """Images in the package for the online converter."""
