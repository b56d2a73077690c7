"""The ``[backend.tflite]`` table."""

from __future__ import annotations

from typing import Literal

from edgectl.config.schema import StrictModel


class TfliteConfig(StrictModel):
    """How the file is laid out; none of it changes a computed number of the raw heads."""

    append_activation: Literal["auto", "on", "off"] = "auto"
    """Put the heads' sigmoid or softmax into the file. auto: for grids of cells, whose firmware compares
    scores; not for detectors and classifiers, whose firmware applies its own, and whose logits say
    more than scores in steps of 1/256."""
    rows: bool = True
    """Detectors' grids as (1, H * W, C), as SSCMA-Micro reads them; else (1, H, W, C)."""
    split: Literal["auto", "off"] = "auto"
    """auto: compute wide expansions in channel groups where that lowers the peak memory."""
