"""The ``[backend.rknn]`` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgectl.config.schema import StrictModel

PLATFORMS = (
    "rk3562",
    "rk3566",
    "rk3568",
    "rk3576",
    "rk3588",
    "rv1126b",
    "rk2118",
    "rv1103",
    "rv1103b",
    "rv1106",
    "rv1106b",
)
"""What ``target_platform`` of rknn-toolkit2 2.x takes, without the chips of its predecessor."""


class RknnConfig(StrictModel):
    """What the compiler is told."""

    platform: str = "rk3588"
    """The chip; one of :data:`PLATFORMS`."""
    algorithm: Literal["normal", "mmse", "kl_divergence"] = "normal"
    """How it chooses activation ranges: extremes, least squared error (slow), or divergence."""
    hybrid: bool = False
    """Operations whose int8 output strays from the float one are left in float16, as the compiler finds
    them: larger and slower, and for networks with SiLU often the only way to keep their accuracy."""
    hybrid_cosine: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.98
    """Cosine below which an operation strays."""
    optimization_level: Literal[0, 1, 2, 3] = 3
