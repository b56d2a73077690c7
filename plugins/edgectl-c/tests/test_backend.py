"""The contract every backend meets."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from edgectl_c.modelfile import DATA

import edgectl
from edgectl.testing.backend import BackendContract
from edgectl.testing.line import Project


class TestC(BackendContract):
    backend = "c"

    def test_the_camera_may_hand_rows(
        self, trained: Path, exported: dict[str, Any], edgectl_project: Project
    ) -> None:
        rows = edgectl_project.expect(
            edgectl.export, trained, backend="c", set=["backend.c.input=rows"], out="by-rows"
        )
        assert rows["tensors"]["arena"]["input"] == 0
        assert rows["tensors"]["arena_bytes"] < exported["tensors"]["arena_bytes"]
        assert rows["metrics"]["file"]["metrics"] == exported["metrics"]["file"]["metrics"]

    def test_code_that_came_with_a_file_is_not_run(
        self, exported: dict[str, Any], subject: Any, tmp_path: Path
    ) -> None:
        from edgectl.errors import ArtifactError

        for name in ("model.c", "model.h", DATA):
            shutil.copy(Path(exported["artifact"]) / name, tmp_path)
        with (tmp_path / "model.c").open("a") as f:
            f.write("int harmless;\n")
        with pytest.raises(ArtifactError, match="altered"):
            subject.open(tmp_path / "model.c", runtime="c", specs=(), preprocess=None)
