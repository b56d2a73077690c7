"""What the exported file is worth: its metric beside the float network's, and the gate on the difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import open_artifact
from edgectl.errors import GateFailedError
from edgectl.evaluation.evaluate import score, target_from_artifact, target_from_checkpoint
from edgectl.export.request import ExportRequest
from edgectl.tasks.lookup import task_info


def has_validation_split(request: ExportRequest[Any]) -> bool:
    """Whether there are labelled images to score on: training allows sets without *valid*."""
    split = request.trained.config.data.valid_split
    return request.index is not None and bool(request.index.splits.get(split))


def measured(request: ExportRequest[Any], directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Float and file on valid, each beside the sha256 of what was measured, and the verdict."""
    assert request.index is not None
    trained, split = request.trained, request.trained.config.data.valid_split
    artifact = open_artifact(directory)
    reference = score(target_from_checkpoint(trained, request.task, None), request.index, split)
    report = score(
        target_from_artifact(
            artifact,
            request.backend,
            request.info,
            trained.postprocess(),
            runtime=None,
            threshold=None,
        ),
        request.index,
        split,
    )
    # the directory has a temporary name still
    report["model"]["path"] = Path(report["model"]["path"]).relative_to(directory).as_posix()
    name = task_info(request.task).main_metric
    drop = float(reference["metrics"][name]) - float(report["metrics"][name])
    gate = {
        "metric": name,
        "drop": drop,
        "limit": request.max_drop,
        "passed": drop <= request.max_drop,
    }
    return {"float": reference, "file": report}, gate


def require_gate(manifest: dict[str, Any], directory: Path, fix: str) -> None:
    """Raises GateFailedError where the manifest's gate did not pass; the artifact stays."""
    gate = manifest.get("gate")
    if gate is not None and not gate["passed"]:
        raise GateFailedError(
            f"{gate['metric']} fell by {gate['drop']:.4f} on the exported file, "
            f"more than {gate['limit']}",
            where=str(directory),
            fix=fix,
        )
