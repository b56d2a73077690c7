"""What is asked of every backend, whoever quantizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import edgectl
from edgectl.plugins.info import BackendInfo
from edgectl.plugins.registry import build_registry
from edgectl.testing.line import Project

_SIZE = 64


class ExportContract:
    """Attributes:
    backend: registered name.
    options: of every export.
    """

    backend: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A round for each precision."""
        if "precision" in metafunc.fixturenames:
            names = build_registry().backends.get(self.backend).precisions
            metafunc.parametrize("precision", names, scope="class")

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls) -> BackendInfo:
        """As registered."""
        return build_registry().backends.get(cls.backend)

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, edgectl_kit_family: str, edgectl_project: Project) -> Path:
        """A run of the kit's family."""
        return edgectl_project.train(edgectl_kit_family, "detection", _SIZE)

    @pytest.fixture(scope="class")
    @classmethod
    def trained_gray(cls, edgectl_kit_family: str, edgectl_project: Project) -> Path:
        """The same family's, on images in gray."""
        gray = {"preprocess.channel_order": "gray"}
        return edgectl_project.train(edgectl_kit_family, "detection", _SIZE, set=gray)

    def test_what_it_does_not_write_is_refused(
        self, trained: Path, edgectl_project: Project
    ) -> None:
        for wrong in ({"precision": "int3"}, {"set": {f"backend.{self.backend}.no_such": 1}}):
            edgectl_project.refuse(
                edgectl.export, trained, backend=self.backend, **self.options, **wrong, code=2
            )
