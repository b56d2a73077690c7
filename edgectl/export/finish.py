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
from edgectl.backends.contract import Exemplified
from edgectl.errors import ArtifactError
from edgectl.export.example import write_example
from edgectl.export.gate import (
    has_validation_split,
    score_agreement_of_artifact,
    score_float_and_artifact,
)
from edgectl.export.request import ExportRequest
from edgectl.plugins.info import BackendInfo
from edgectl.runs.provenance import versions
from edgectl.sources.tail import TAIL_FILE
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
    (directory / "README.md").write_text(_readme(request, manifest), encoding="utf-8")
    labels = "".join(f"{name}\n" for name in manifest.classes)
    (directory / "labels.txt").write_text(labels, encoding="utf-8")
    if request.source.tail is not None:
        (directory / TAIL_FILE).write_bytes(request.source.tail.content)
    if not request.source.decoded:
        return _finish_undecoded(request, manifest, directory, progress)
    if not has_validation_split(request):
        progress("not scored: no labelled images to score on")
        return write_manifest(directory, manifest)
    progress("scoring the file")
    manifest = manifest.model_copy(update={"files": list_files(directory)})
    scores, gate = score_float_and_artifact(request, Artifact(directory, manifest))
    return write_manifest(directory, manifest.model_copy(update={"metrics": scores, "gate": gate}))


def _readme(request: ExportRequest[Any], manifest: Manifest) -> str:
    """How to run the artifact, and where its file runs in Python a whole program."""
    text: str = request.backend.usage(manifest)
    if not isinstance(request.backend, Exemplified) or not manifest.built:
        return text
    return f"{text.rstrip()}\n\n{write_example(manifest, request.backend.example(manifest))}"


def _finish_undecoded(
    request: ExportRequest[Any], manifest: Manifest, directory: Path, progress: Progress
) -> Artifact:
    """Nobody said how the outputs are read: agreement with the float network is what can be measured."""
    progress("no decode rule: measuring how far the file agrees with the float outputs")
    manifest = manifest.model_copy(update={"files": list_files(directory)})
    scores = score_agreement_of_artifact(request, Artifact(directory, manifest))
    return write_manifest(directory, manifest.model_copy(update={"metrics": scores}))


def build_manifest(request: ExportRequest[Any], written: WrittenModel) -> Manifest:
    """Everything known before the file is scored."""
    source = request.source
    stated: dict[str, Any] = {
        "compiler": written.compiler,
        "runtime": written.runtime,
        "decode": source.decode,
        "tail": None if source.tail is None else TAIL_FILE,
        "cut_at": source.cut_at or None,
    }
    return Manifest(
        backend=request.info.name,
        precision=request.precision,
        stage=request.stage,
        family=source.family,
        variant=source.variant,
        network_config=source.network_config,
        task=request.task,
        classes=tuple(source.classes),
        preprocess=source.preprocess,
        outputs=written.outputs,
        overlap=getattr(source.postprocess(), "overlap", None) if source.decoded else None,
        operating_point=request.operating_point or source.operating_point,
        checkpoint=Origin(
            # relative, so that a run directory can be moved or copied as a whole
            path=Path(os.path.relpath(source.path, request.out)).as_posix(),
            sha256=source.sha256,
            epoch=source.epoch,
        ),
        # where the set lay is this machine's affair
        data=TrainingData.model_validate(
            {key: value for key, value in source.data.items() if key != "path"}
        ),
        gates=tuple(source.config.gates),
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
