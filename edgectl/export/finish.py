"""The end of every export: describe, README, score, manifest.

The manifest is the last file: without it, or under another name, there is no artifact.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgectl.artifacts.artifact import Artifact, list_files, write_manifest
from edgectl.artifacts.manifest import (
    Calibration,
    Compiler,
    Manifest,
    Origin,
    Parity,
    Tensors,
    TrainingData,
)
from edgectl.errors import ArtifactError
from edgectl.export.gate import has_validation_split, score_float_and_artifact
from edgectl.export.request import ExportRequest
from edgectl.files import sha256_of
from edgectl.plugins.info import BackendInfo
from edgectl.runs.provenance import versions
from edgectl.spec import OutputSpec, Progress


@dataclass(frozen=True)
class WrittenModel:
    """The files of a model, written and compared with the network, before they are scored.

    Attributes:
        model: the file a device loads, relative to the artifact's directory, posix.
        outputs: of that file.
        quantization: the configuration of edgectl's own quantizer; None where it did nothing.
        runtime: on which the file is scored; None for the backend's first.
    """

    model: str
    outputs: tuple[OutputSpec, ...]
    parity: Parity
    tensors: Tensors
    status: Literal["built", "planned"] = "built"
    remarks: tuple[str, ...] = ()
    quantization: dict[str, Any] | None = None
    compiler: Compiler | None = None
    runtime: str | None = None


def require_supported(issues: Sequence[str], info: BackendInfo, network: Path) -> None:
    """Raises ArtifactError where a backend found operations of a network that it cannot run."""
    if issues:
        raise ArtifactError(
            f"{len(issues)} ops cannot run on {info.name}: " + "; ".join(issues),
            where=str(network),
            fix="train a variant without them; each entry names the replacement",
        )


def finish_artifact(
    request: ExportRequest[Any], written: WrittenModel, directory: Path, progress: Progress
) -> Artifact:
    """Adds README and manifest to ``directory``; scores the file where there are labelled images."""
    manifest = build_manifest(request, written)
    readme = request.backend.usage(manifest)
    (directory / "README.md").write_text(readme, encoding="utf-8")
    if not has_validation_split(request):
        progress("not scored: no labelled images to score on")
        return write_manifest(directory, manifest)
    progress("scoring the file")
    manifest = manifest.model_copy(update={"files": list_files(directory)})
    scores, gate = score_float_and_artifact(request, Artifact(directory, manifest))
    return write_manifest(directory, manifest.model_copy(update={"metrics": scores, "gate": gate}))


def build_manifest(request: ExportRequest[Any], written: WrittenModel) -> Manifest:
    """Everything known before the file is scored."""
    trained = request.trained
    checkpoint = trained.checkpoint
    stated: dict[str, Any] = {"compiler": written.compiler, "runtime": written.runtime}
    return Manifest(
        backend=request.info.name,
        precision=request.precision,
        stage=request.stage,
        family=checkpoint.family,
        variant=checkpoint.variant,
        network_config=trained.config.model,
        task=request.task,
        classes=tuple(trained.classes),
        preprocess=trained.preprocess,
        outputs=written.outputs,
        overlap=getattr(trained.postprocess(), "overlap", None),
        operating_point=request.operating_point or checkpoint.operating_point,
        checkpoint=Origin(
            # relative, so that a run directory can be moved or copied as a whole
            path=Path(os.path.relpath(trained.path, request.out)).as_posix(),
            sha256=sha256_of(trained.path),
            epoch=checkpoint.epoch,
        ),
        # where the set lay is this machine's affair
        data=TrainingData.model_validate(
            {key: value for key, value in checkpoint.data.items() if key != "path"}
        ),
        gates=tuple(trained.config.gates),
        calibration=_describe_calibration(request),
        tools=versions(),
        status=written.status,
        model=written.model,
        quantization=written.quantization,
        remarks=written.remarks,
        parity=written.parity,
        tensors=written.tensors,
        # what does not apply is left out of the document
        **{name: value for name, value in stated.items() if value is not None},
    )


def _describe_calibration(request: ExportRequest[Any]) -> Calibration | None:
    chosen = request.calibration
    if chosen is None:
        return None
    return Calibration(
        source=chosen.source,
        count=len(chosen.files),
        seed=chosen.seed,
        sha256=chosen.sha256,
        names=tuple(chosen.names),
    )
