"""The ``[backend.ncnn]`` table."""

from __future__ import annotations

from edgectl.config.schema import StrictModel


class NcnnConfig(StrictModel):
    """Empty: the files have one layout, and precision is chosen on the command line."""
