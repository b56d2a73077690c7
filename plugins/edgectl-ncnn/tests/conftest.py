"""Golden files that other programs wrote, and small random networks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Path]:
    """Path of a file other programs wrote; skips where the collection is absent."""
    default = Path(__file__).parents[4] / "shared" / "golden"
    directory = Path(os.environ.get("EDGECTL_GOLDEN", default))

    def find(name: str) -> Path:
        if not (directory / name).is_file():
            pytest.skip(f"no golden files in {directory}")
        return directory / name

    return find
