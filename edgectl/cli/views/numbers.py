"""Which metrics tables for people show."""

from __future__ import annotations

from typing import Any


def scalars(metrics: dict[str, Any]) -> list[str]:
    """Names of the single numbers, in the order they were reported."""
    return [k for k, v in metrics.items() if isinstance(v, int | float) and not isinstance(v, bool)]
