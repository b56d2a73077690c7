"""The ``[backend.c]`` table."""

from __future__ import annotations

from typing import Literal

from edgectl.config.schema import StrictModel


class CConfig(StrictModel):
    """How the library is laid out; none of it changes a computed number of the raw heads."""

    append_activation: Literal["auto", "on", "off"] = "auto"
    """Put the heads' sigmoid or softmax into the library. auto: for grids of cells, whose programs compare
    scores; not for detectors and classifiers, whose programs apply their own."""
    input: Literal["whole", "rows"] = "whole"
    """whole: the image stands in the arena; rows: the camera hands row after row, and it never does."""
