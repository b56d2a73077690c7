"""The ``[backend.ncnn]`` table."""

from __future__ import annotations

from typing import Literal

from edgectl.config.schema import StrictModel


class NcnnConfig(StrictModel):
    """Which layers of an int8 file compute with integers."""

    depthwise: Literal["float", "int8"] = "float"
    """Depthwise convolutions hold few weights and little work, lose the most, and ncnn runs them no
    faster as int8."""
