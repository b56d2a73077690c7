"""The ``[backend.tflite]`` table."""

from __future__ import annotations

from typing import Literal

from edgectl.config.schema import StrictModel


class TfliteConfig(StrictModel):
    """How the file is laid out; none of it changes a computed number of the raw heads."""

    append_activation: bool = True
    """Put the heads' sigmoid or softmax into the file: firmware compares scores, not logits."""
    split: Literal["auto", "off"] = "auto"
    """auto: compute wide expansions in channel groups where that lowers the peak memory."""
