"""The pytest plugin. Loaded with every pytest run where edgectl is installed, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgectl.testing.line import Project

for module in ("family", "task", "backend", "dataset", "vendor", "export", "line"):
    pytest.register_assert_rewrite(f"edgectl.testing.{module}")


@pytest.fixture(scope="class")
def edgectl_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """An empty project directory that is the working directory, cut off from the user's own settings."""
    from edgectl.testing.line import project_in

    with project_in(tmp_path_factory.mktemp("project")) as project:
        yield project


@pytest.fixture(scope="session")
def edgectl_kit_family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small family of the kit's own, as ``plugins new`` writes it, registered for the session.

    Backends are tested with it, so that their authors need no family's distribution.
    """
    from edgectl.testing.line import kit_family

    place: Path = tmp_path_factory.mktemp("kit")
    with kit_family(place) as name:
        yield name
