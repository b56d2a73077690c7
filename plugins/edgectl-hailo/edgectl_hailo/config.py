"""The ``[backend.hailo]`` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from edgectl.config.schema import StrictModel
from edgectl.errors import UnknownNameError

ARCHITECTURES = (
    "hailo8",
    "hailo8l",
    "hailo8r",
    "hailo15h",
    "hailo15m",
    "hailo15l",
    "hailo10h",
)
"""What ``ClientRunner(hw_arch=...)`` takes; 2.x of the model zoo's compiler for the 8, 5.x for 15 and 10."""


class HailoConfig(StrictModel):
    """What the compiler is asked for."""

    hw_arch: str = "hailo8l"
    """The chip. A HEF for the 8L runs on the 8 as well, not the other way round."""
    optimization_level: Literal["auto"] | Annotated[int, Field(ge=0, le=4)] = "auto"
    """How hard the compiler tries to keep accuracy; ``auto``: what the number of images allows."""
    compression_level: Literal["auto"] | Annotated[int, Field(ge=0, le=5)] = "auto"
    """Share of weights in 4 bits, in fifths; ``auto`` leaves it to the compiler."""
    finetune: Literal["auto", "on", "off"] = "auto"
    """Distillation of the float network into the quantized one; ``auto``: as the level has it."""
    max_performance: bool = False
    """Let the compiler search hours for the fastest mapping."""

    @field_validator("hw_arch")
    @classmethod
    def _as_the_compiler_spells_it(cls, name: str) -> str:
        """``Hailo-8L``, as the chips are labelled, is ``hailo8l``."""
        return name.lower().replace("-", "")


def require_architecture(config: HailoConfig) -> None:
    """Raises UnknownNameError for a chip nobody makes."""
    if config.hw_arch not in ARCHITECTURES:
        raise UnknownNameError(
            "Hailo architecture", config.hw_arch, ARCHITECTURES, where="backend.hailo.hw_arch"
        )
