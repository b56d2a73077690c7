"""What a library did where it ran, against the integers it was exported with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class DeviceCheck:
    """One place. Attributes:

    name: of the processor, or of the print-out.
    differs: output bytes, of all images, that are not the executor's; ``largest``: by how much, at most.
    first: the first layer that differs, where the program could say.
    ticks: of the place's own clock, for the slowest image.
    stack_bytes: the most the library used; None where it was not measured, as all that follow.
    instructions: counted by an emulator; a real processor needs other numbers of cycles.
    results: decoded from the outputs of all images; ``results_wrong``: those that are not Python's.
    """

    name: str
    images: int
    differs: int
    largest: int
    first: str | None = None
    ticks: int = 0
    stack_bytes: int | None = None
    instructions: int | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    results: int = 0
    results_wrong: int = 0
    decode_stack_bytes: int | None = None

    @property
    def passed(self) -> bool:
        """Every byte and every result the same."""
        return self.differs == 0 and self.results_wrong == 0

    def measured(self, *, instructions: int, ram_bytes: int, flash_bytes: int) -> DeviceCheck:
        """The same with what the compiler and the emulator say."""
        return replace(
            self, instructions=instructions, ram_bytes=ram_bytes, flash_bytes=flash_bytes
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "images": self.images,
            "differs": self.differs,
            "max_steps": self.largest,
            "first": self.first,
            "metric": None,
            "interval": None,
            "passed": self.passed,
            "instructions": self.instructions,
            "stack_bytes": self.stack_bytes,
            "ram_bytes": self.ram_bytes,
            "flash_bytes": self.flash_bytes,
            "results": self.results,
            "results_wrong": self.results_wrong,
            "decode_stack_bytes": self.decode_stack_bytes,
        }


@dataclass(frozen=True)
class DeviceReport:
    """A check for every place asked for."""

    checks: tuple[DeviceCheck, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the figures beside ``rungs`` are of the place that takes most instructions."""
        worst = max(self.checks, key=lambda c: c.instructions or 0)
        figures = ("instructions", "stack_bytes", "ram_bytes", "flash_bytes")
        return {
            "rungs": [c.to_dict() for c in self.checks],
            **{name: getattr(worst, name) for name in figures},
        }


class OpenVerification(Protocol):
    """A model file with golden images, ready to be run somewhere."""

    def on(self, cpu: str) -> DeviceCheck:
        """Raises UnknownNameError, BackendUnavailableError, ArtifactError."""
        ...

    def of_dump(self, dump: Path) -> DeviceCheck:
        """From what a real board printed. Raises ArtifactError."""
        ...


@runtime_checkable
class DeviceVerifier(Protocol):
    """A backend whose files can be run on an emulated device."""

    device_file: str
    """Name of the model file in an artifact or a bundle."""

    def verification(self, model_file: Path, images: np.ndarray) -> OpenVerification:
        """images: uint8 (N, H, W, C), resized. Raises ArtifactError."""
        ...
