"""What ``data check`` finds, and how bad it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One fault.

    Attributes:
        severity: ``error`` spoils training or scores, ``warning`` may, ``note`` is worth knowing.
        kind: stable word, for scripts.
        file: image or label file, or the split, or empty.
        detail: what is wrong, with the numbers.
        files: all images it is about, where there are several.
    """

    severity: Severity
    kind: str
    file: str
    detail: str
    files: tuple[str, ...] = ()
