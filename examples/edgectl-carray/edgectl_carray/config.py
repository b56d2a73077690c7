"""The ``[backend.carray]`` table."""

from __future__ import annotations

from edgectl.config.schema import StrictModel


class CArrayConfig(StrictModel):
    """Nothing to choose."""
