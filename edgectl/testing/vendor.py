"""What every backend with a vendor's compiler must do: a plan that is complete without it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import edgectl
from edgectl.artifacts.artifact import open_artifact
from edgectl.backends.network import ONNX_FILE
from edgectl.errors import BackendUnavailableError, UsageError
from edgectl.export.vendor import COMMAND_FILE
from edgectl.plugins.info import BackendInfo, ToolInfo
from edgectl.testing.export import ExportContract
from edgectl.testing.line import Project
from edgectl.toolchains.tool import find_tool


class VendorContract(ExportContract):
    """Three lines in a test file: see :mod:`edgectl.testing`."""

    options: ClassVar[Mapping[str, Any]] = {"plan": True}

    @pytest.fixture(scope="class")
    @classmethod
    def planned(cls, trained: Path, precision: str, edgectl_project: Project) -> dict[str, Any]:
        """``data`` of a plan in one precision."""
        return edgectl_project.expect(
            edgectl.export, trained, backend=cls.backend, precision=precision, plan=True
        )

    def test_the_plan_is_complete(self, planned: dict[str, Any], info: BackendInfo) -> None:
        assert planned["status"] == ("built" if info.tool is None else "planned")
        artifact = open_artifact(Path(planned["artifact"]))
        names = {f["path"] for f in planned["files"]}
        assert ONNX_FILE in names and "README.md" in names
        assert all(f["bytes"] > 0 for f in planned["files"])
        if info.tool is not None:
            assert COMMAND_FILE in names
            compiler = artifact.manifest.compiler
            assert compiler is not None and compiler.arguments and compiler.product

    def test_the_onnx_file_is_the_network_and_can_be_scored(
        self, planned: dict[str, Any], edgectl_project: Project
    ) -> None:
        assert planned["parity"]["graph"]["float_max_abs"] < 1e-3
        report = edgectl_project.expect(edgectl.evaluate, planned["artifact"])
        assert report["model"]["path"].endswith(ONNX_FILE)
        assert report["model"]["precision"] == "fp32"

    def test_images_in_gray_are_planned_or_refused_in_one_line(
        self, trained_gray: Path, precision: str, edgectl_project: Project
    ) -> None:
        try:
            planned = edgectl.export(
                trained_gray, backend=self.backend, precision=precision, plan=True
            )
        except UsageError as e:
            assert e.fix and "\n" not in str(e)
            return
        artifact = open_artifact(planned.directory)
        manifest = artifact.manifest
        assert manifest.preprocess.channels == 1
        report = edgectl_project.expect(edgectl.evaluate, artifact.directory)
        assert report["model"]["path"].endswith(ONNX_FILE)

    def test_without_the_compiler_the_exit_code_says_so(
        self, trained: Path, info: BackendInfo, edgectl_project: Project
    ) -> None:
        if info.tool is None:
            pytest.skip("needs no compiler")
        if _is_installed(info.tool):
            pytest.skip("the compiler is installed")
        error = edgectl_project.refuse(
            edgectl.export, trained, backend=self.backend, out="without", code=3
        )
        assert error.fix and isinstance(error.result, edgectl.Artifact)
        assert open_artifact(edgectl_project.path / "without").manifest.status == "planned"

    def test_qat_is_refused_with_what_to_do_instead(
        self, trained: Path, edgectl_project: Project
    ) -> None:
        error = edgectl_project.refuse(edgectl.qat, trained, backend=self.backend, code=2)
        assert f"export --backend {self.backend}" in (error.fix or "")


def _is_installed(tool: ToolInfo) -> bool:
    try:
        find_tool(tool)
    except BackendUnavailableError:
        return False
    return True
