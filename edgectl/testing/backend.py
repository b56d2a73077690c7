"""What every backend that writes files itself must do: files that compute what the network computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import edgectl
from edgectl.artifacts.artifact import open_artifact
from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import Backend
from edgectl.errors import ArtifactError, BackendUnavailableError, EdgectlError
from edgectl.export.stages import export_model
from edgectl.plugins.info import BackendInfo
from edgectl.plugins.registry import load_entry
from edgectl.sources.source import from_trained
from edgectl.testing.export import ExportContract
from edgectl.testing.line import Project
from edgectl.workflows.export_request import make_request
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.models import open_model

_LEAST_SQNR_DB = 10.0
# fp16 rounds to one part in 2048, and a few layers add up
_FLOAT_TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}
_OTHER: dict[str, Any] = {
    "mean": (110.0, 110.0, 110.0),
    "std": (50.0, 60.0, 70.0),
    "channel_order": "bgr",
}
"""A preprocessing that shows a lowering's mistakes. One mean for all channels: with several, one padding
value cannot be exact (see :func:`edgectl.quant.graph.lower.fold_preprocess`)."""
_OTHER_GRAY: dict[str, Any] = {"mean": (110.0,), "std": (60.0,)}


class BackendContract(ExportContract):
    """Three lines in a test file: see :mod:`edgectl.testing`."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, info: BackendInfo) -> Backend:
        """The backend itself."""
        found: Backend = load_entry(info.entry, info.name)
        return found

    @pytest.fixture(scope="class")
    @classmethod
    def exported(cls, trained: Path, precision: str, edgectl_project: Project) -> dict[str, Any]:
        """``data`` of an export in one precision."""
        return edgectl_project.expect(
            edgectl.export, trained, backend=cls.backend, precision=precision
        )

    def test_the_file_computes_what_the_network_computes(
        self, exported: dict[str, Any], precision: str
    ) -> None:
        assert exported["status"] == "built"
        parity = exported["parity"]
        assert parity["runtimes"], f"no runtime is installed: {parity['absent']}"
        assert parity["graph"]["float_max_abs"] < _FLOAT_TOLERANCE["fp32"] * 10
        for name, report in parity["runtimes"].items():
            if precision == "int8":
                assert all(v > _LEAST_SQNR_DB for v in report["sqnr_db"].values()), name
            elif report["heads_max_abs"] is not None:
                assert report["heads_max_abs"] < _FLOAT_TOLERANCE[precision] * 10, name
            assert not (report["exact"] and report["differing"]), name

    def test_the_manifest_is_complete(self, exported: dict[str, Any]) -> None:
        artifact = open_artifact(Path(exported["artifact"]))
        assert artifact.model_bytes > 0
        tensors = artifact.manifest.tensors
        assert tensors.inputs and tensors.outputs
        assert (artifact.directory / "README.md").stat().st_size > 0

    def test_it_is_scored_on_its_runtimes(
        self, exported: dict[str, Any], info: BackendInfo, edgectl_project: Project
    ) -> None:
        for runtime in info.runtimes:
            try:
                found = edgectl.evaluate(exported["artifact"], runtime=runtime)
            except EdgectlError as e:
                # absent, or not for this precision
                assert runtime != info.runtimes[0], e
                assert e.fix
            else:
                assert found.model.runtime == runtime
        edgectl_project.refuse(edgectl.evaluate, exported["artifact"], runtime="no-such", code=2)

    def test_the_same_network_gives_the_same_bytes(
        self, exported: dict[str, Any], trained: Path, precision: str, edgectl_project: Project
    ) -> None:
        again = edgectl_project.expect(
            edgectl.export,
            trained,
            backend=self.backend,
            precision=precision,
            out=f"again-{precision}",
        )
        files = [
            {f["path"]: f["sha256"] for f in e["files"] if not f["path"].startswith("README")}
            for e in (exported, again)
        ]
        assert files[0] == files[1]

    def test_preprocessing_is_lowered_as_the_spec_says(
        self, trained: Path, precision: str, edgectl_project: Project, edgectl_kit_family: str
    ) -> None:
        self._export_otherwise(trained, _OTHER, precision, edgectl_project.path / "other")

    def test_images_in_gray_are_lowered_as_the_spec_says(
        self, trained_gray: Path, precision: str, edgectl_project: Project, edgectl_kit_family: str
    ) -> None:
        out = edgectl_project.path / "gray"
        manifest = self._export_otherwise(trained_gray, _OTHER_GRAY, precision, out)
        assert manifest.preprocess.channels == 1
        assert manifest.parity.runtimes, f"no runtime is installed: {manifest.parity.absent}"

    def _export_otherwise(
        self, run: Path, changes: dict[str, Any], precision: str, out: Path
    ) -> Manifest:
        """Exports the network as if it had been trained on images prepared in another way: the file on
        its runtimes against the network behind the spec's own preparation, on the same images."""
        context = open_context()
        model = open_model(context.registry, run, prefer_artifact=False)
        assert model.trained is not None
        spec = replace(model.trained.preprocess, **changes)
        checkpoint = replace(model.trained.checkpoint, preprocess=spec)
        otherwise = replace(model.trained, checkpoint=checkpoint)
        model = replace(model, source=from_trained(otherwise, model.task))
        place = out.with_name(f"{out.name}-{precision}")
        request = make_request(context, model, self.backend, precision=precision, out=place)
        manifest = export_model(request).manifest
        for name, report in manifest.parity.runtimes.items():
            if precision == "int8":
                assert all(v > _LEAST_SQNR_DB for v in report.sqnr_db.values()), name
            elif report.heads_max_abs is not None:
                assert report.heads_max_abs < _FLOAT_TOLERANCE[precision] * 10, name
        return manifest

    @pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
    def test_damaged_files_are_refused(
        self,
        exported: dict[str, Any],
        subject: Backend,
        info: BackendInfo,
        tmp_path: Path,
        damage: str,
    ) -> None:
        artifact = open_artifact(Path(exported["artifact"]))
        for part in artifact.parts:
            whole = (artifact.directory / part.path).read_bytes()
            bad = {"truncated": whole[: len(whole) // 2], "text": b"hello", "empty": b""}[damage]
            (tmp_path / Path(part.path).name).write_bytes(bad)
        file = tmp_path / artifact.model_file.name
        with pytest.raises(ArtifactError):
            subject.describe(file)
        for runtime in info.runtimes:
            with pytest.raises((ArtifactError, BackendUnavailableError)):
                subject.open(
                    file, runtime=runtime, specs=artifact.outputs, preprocess=artifact.preprocess
                )

    def test_qat(self, trained: Path, info: BackendInfo, edgectl_project: Project) -> None:
        if not info.qat:
            edgectl_project.refuse(edgectl.qat, trained, backend=self.backend, code=2)
            return
        data = edgectl_project.expect(edgectl.qat, trained, backend=self.backend, epochs=1)
        assert data["epochs"] == 1 and data["parity"]["runtimes"]
