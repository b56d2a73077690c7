"""What to export, with what, to where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from edgectl.backends.contract import ArtifactReader
from edgectl.data.index import DatasetIndex
from edgectl.data.select.calibration import CalibrationSet
from edgectl.errors import UsageError
from edgectl.plugins.info import BackendInfo
from edgectl.sources.source import Source
from edgectl.spec import OperatingPoint

B = TypeVar("B", bound=ArtifactReader)


@dataclass(frozen=True)
class ExportRequest(Generic[B]):
    """One export.

    Attributes:
        index: the data set, for parity and scores; None exports without them (and says so).
        calibration: images of *train*; None only for float precisions.
        max_drop: limit on the main metric's drop from float; checked when ``index`` is given.
        operating_point: replaces the source's (QAT chooses its own).
        stage: ``ptq``, ``qat`` or ``float``, for the manifest.
    """

    source: Source
    backend: B
    info: BackendInfo
    backend_config: Any
    precision: str
    out: Path
    index: DatasetIndex | None
    calibration: CalibrationSet | None
    max_drop: float
    operating_point: OperatingPoint | None = None
    stage: str = "ptq"

    @property
    def task(self) -> str:
        """What the network does."""
        return self.source.task

    def require_precision(self) -> None:
        """Raises UsageError for one the backend does not write."""
        if self.precision not in self.info.precisions:
            raise UsageError(
                f"{self.info.name} writes {', '.join(self.info.precisions)}, not {self.precision}",
                where="--precision",
            )
