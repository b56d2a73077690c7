"""The report of an evaluation: what was measured, of which model, on which images."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return self.model_dump(mode="json", exclude_unset=True)


class ModelIdentity(_Part):
    """Which file was scored.

    Attributes:
        kind: ``network`` is a float network that is no family's.
        backend: that wrote it; None for a float network.
        precision: the file computes in.
        sha256: of everything a device loads.
        bytes: of everything a device loads.
        runtime: an artifact was scored on.
    """

    path: str
    kind: Literal["checkpoint", "network", "artifact"]
    backend: str | None
    precision: str
    sha256: str
    bytes: int
    runtime: str | None = None


class DatasetIdentity(_Part):
    """Which images it was scored on. ``fingerprint``: over their bytes and labels."""

    name: str
    split: str
    images: int
    fingerprint: str


class EvaluationReport(_Part):
    """``data`` of ``eval --json``, without gates and diagnosis.

    Attributes:
        metrics: as the task computes them: numbers, and tables such as ``per_class``.
        arena_bytes: the runtime took, where it can say.
    """

    task: str
    model: ModelIdentity
    dataset: DatasetIdentity
    metrics: dict[str, Any]
    arena_bytes: int | None = None
