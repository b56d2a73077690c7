"""The ``[model]`` table."""

from __future__ import annotations

from edgectl.config.schema import Positive, StrictModel


class MeterConfig(StrictModel):
    """Sizes of the network."""

    width: Positive = 16
    """Channels of the stem; every halving of the image doubles them, up to four times."""
    hidden: Positive = 96
    """Channels of the convolution that sees the whole image."""
    grid: Positive = 7
    """Cells a side of the last feature map: a sixteenth of the input's side."""
