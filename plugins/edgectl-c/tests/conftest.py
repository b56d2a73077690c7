"""Networks as C, compiled for this machine or for another, and what the tests need for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from edgectl_c.plugin import COMPILERS


@pytest.fixture(scope="session")
def compiler() -> str:
    """The compiler of this machine; skips without one."""
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found is None:
        pytest.skip("no C compiler on this machine")
    return found


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
