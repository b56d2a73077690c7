"""What the exported file is worth: its metric beside the float network's, and the gate on the difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import Artifact
from edgectl.artifacts.manifest import Gate, Manifest, Scores
from edgectl.data.select.calibration import CalibrationSet
from edgectl.errors import GateFailedError
from edgectl.evaluation.agreement import images_of_split, score_agreement
from edgectl.evaluation.evaluate import score, target_from_artifact, target_from_source
from edgectl.export.request import ExportRequest
from edgectl.metrics.report import EvaluationReport
from edgectl.tasks.lookup import task_info


def has_validation_split(request: ExportRequest[Any]) -> bool:
    """Whether there are labelled images to score on: training allows sets without *valid*."""
    split = request.source.config.data.valid_split
    return request.index is not None and bool(request.index.splits.get(split))


def score_float_and_artifact(
    request: ExportRequest[Any], artifact: Artifact
) -> tuple[Scores, Gate]:
    """Scores the float network and the file on *valid*, and judges the difference.

    Args:
        artifact: the files, in a directory whose name is temporary still.
    """
    assert request.index is not None
    source, split = request.source, request.source.config.data.valid_split
    reference = score(target_from_source(source, None), request.index, split)
    report = score(
        target_from_artifact(
            artifact,
            request.backend,
            request.info,
            source.postprocess(),
            runtime=None,
            threshold=None,
        ),
        request.index,
        split,
    )
    name = task_info(request.task).main_metric
    drop = float(reference.metrics[name]) - float(report.metrics[name])
    gate = Gate(metric=name, drop=drop, limit=request.max_drop, passed=drop <= request.max_drop)
    return Scores(network=reference, file=_relative(report, artifact.directory)), gate


def score_agreement_of_artifact(request: ExportRequest[Any], artifact: Artifact) -> Scores | None:
    """How far the file's outputs agree with the float network's on *valid*, or on the calibration images;
    None without images."""
    source = request.source
    images = _images_to_compare(request)
    if images is None:
        return None
    candidate = target_from_artifact(
        artifact,
        request.backend,
        request.info,
        None,
        runtime=None,
        threshold=None,
        tail=source.tail,
    )
    reference = target_from_source(source, None)
    report = score_agreement(candidate, reference, images)
    return Scores(
        network=score_agreement(reference, reference, images),
        file=_relative(report, artifact.directory),
    )


def _images_to_compare(request: ExportRequest[Any]) -> CalibrationSet | None:
    if has_validation_split(request):
        assert request.index is not None
        split = request.source.config.data.valid_split
        return images_of_split(request.index, split)
    return request.calibration


def require_gate(manifest: Manifest, directory: Path, fix: str) -> None:
    """Raises GateFailedError where the manifest's gate did not pass; the artifact stays."""
    gate = manifest.gate
    if gate is not None and not gate.passed:
        raise GateFailedError(
            f"{gate.metric} fell by {gate.drop:.4f} on the exported file, more than {gate.limit}",
            where=str(directory),
            fix=fix,
        )


def _relative(report: EvaluationReport, directory: Path) -> EvaluationReport:
    path = Path(report.model.path).relative_to(directory).as_posix()
    return report.model_copy(update={"model": report.model.model_copy(update={"path": path})})
