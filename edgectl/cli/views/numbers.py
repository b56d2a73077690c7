"""How figures and models are called in tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgectl.metrics.report import ModelIdentity


def scalars(metrics: dict[str, Any]) -> list[str]:
    """Names of the single numbers, in the order they were reported."""
    return [k for k, v in metrics.items() if isinstance(v, int | float) and not isinstance(v, bool)]


def label(model: ModelIdentity) -> str:
    """``float checkpoint`` or ``tflite int8 (litert)``."""
    if model.kind == "checkpoint":
        return "float checkpoint"
    return f"{model.backend} {model.precision} ({model.runtime})"
