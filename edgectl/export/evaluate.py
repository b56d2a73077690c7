"""Scores anything that predicts - a checkpoint or an exported file - on the same pictures, one way.

Decode, preprocessing, postprocess and metric are the same objects for the float network and for the
file, so a difference in the figures is a difference of the models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgectl.data.formats.coco import split_name
from edgectl.data.index import DatasetIndex
from edgectl.data.loader import EvalLoader
from edgectl.errors import DataError, UnknownNameError, UsageError
from edgectl.export.artifact import Artifact, sha256_of
from edgectl.export.trained import TrainedModel
from edgectl.metrics.evaluator import Predictor, evaluate
from edgectl.metrics.gates import GateResult, check_gates
from edgectl.metrics.tasks import task_metrics
from edgectl.protocols import Backend, Postprocess
from edgectl.types import BackendInfo, OutputSpec, PreprocessSpec, Task

_BATCH = 16  # also the batch the cell-wise figures are defined for


@dataclass(frozen=True)
class Scorable:
    """Something that can be scored: how it predicts, and what the report calls it."""

    predict: Predictor
    postprocess: Postprocess
    preprocess: PreprocessSpec
    outputs: tuple[OutputSpec, ...]
    classes: tuple[str, ...]
    task: Task
    identity: dict[str, Any]
    arena_bytes: int | None = None


def scorable_checkpoint(trained: TrainedModel, task: Task, threshold: float | None) -> Scorable:
    """The float network of a checkpoint."""
    return Scorable(
        predict=trained.predictor(),
        postprocess=trained.postprocess(threshold),
        preprocess=trained.preprocess,
        outputs=trained.outputs,
        classes=trained.classes,
        task=task,
        identity={
            "path": str(trained.path),
            "kind": "checkpoint",
            "backend": None,
            "precision": "fp32",
            "sha256": sha256_of(trained.path),
            "bytes": trained.path.stat().st_size,
        },
    )


def scorable_artifact(
    artifact: Artifact,
    backend: Backend,
    info: BackendInfo,
    postprocess: Postprocess,
    *,
    runtime: str | None,
    threshold: float | None,
) -> Scorable:
    """The file that ships, on one of its backend's runtimes.

    Raises:
        UnknownNameError: a runtime the backend does not have.
        BackendUnavailableError: a runtime that is not installed.
    """
    runtime = runtime or info.runtimes[0]
    if runtime not in info.runtimes:
        raise UnknownNameError("runtime", runtime, info.runtimes, where="--runtime")
    runner = backend.open(
        artifact.model_file, runtime=runtime, specs=artifact.outputs, manifest=artifact.manifest
    )
    point = artifact.manifest.get("operating_point")
    if threshold is not None:
        postprocess.threshold = threshold
    elif point is not None:
        postprocess.threshold = float(point["threshold"])

    def predict(pictures: np.ndarray) -> list[Tensor]:
        return [torch.from_numpy(o) for o in runner(pictures)]

    return Scorable(
        predict=predict,
        postprocess=postprocess,
        preprocess=artifact.preprocess,
        outputs=artifact.outputs,
        classes=tuple(artifact.manifest["classes"]),
        task=artifact.manifest["task"],
        identity={
            "path": str(artifact.model_file),
            "kind": "artifact",
            "backend": artifact.backend,
            "precision": artifact.manifest["precision"],
            "sha256": artifact.sha256,
            "bytes": artifact.model_bytes,
            "runtime": runtime,
        },
        arena_bytes=runner.arena_bytes,
    )


def score(model: Scorable, index: DatasetIndex, split: str) -> dict[str, Any]:
    """The ``data`` of ``eval --json``, without gates.

    Raises:
        DataError: no such split, or other classes than the model was trained on.
    """
    split = split_name(split)
    samples = index.splits.get(split)
    if not samples:
        raise DataError(
            f"no split '{split}' in '{index.name}'",
            where=str(index.root),
            fix="use --split with one of: " + ", ".join(sorted(index.splits)),
        )
    if index.classes != model.classes:
        raise DataError(
            f"'{index.name}' has the classes {list(index.classes)}, "
            f"the model was trained on {list(model.classes)}",
            fix="evaluate on a set with the same classes in the same order",
        )
    metrics = evaluate(
        model.predict,
        EvalLoader(samples, model.preprocess, _BATCH),
        model.postprocess,
        model.outputs,
        task_metrics(model.task, model.classes, model.outputs, model.preprocess.input_size),
    )
    report: dict[str, Any] = {
        "task": model.task,
        "model": model.identity,
        "dataset": {
            "name": index.name,
            "split": split,
            "images": len(samples),
            "fingerprint": index.fingerprint(split),
        },
        "metrics": metrics,
    }
    if model.arena_bytes is not None:
        report["arena_bytes"] = model.arena_bytes
    return report


def apply_gates(
    expressions: Sequence[str], report: dict[str, Any], reference: dict[str, Any] | None
) -> list[GateResult]:
    """Gates see the metrics, ``bytes`` of what a device loads and ``arena_bytes`` where known."""
    return check_gates(
        expressions, _figures(report), None if reference is None else _figures(reference)
    )


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    figures = {**report["metrics"], "bytes": report["model"]["bytes"]}
    if "arena_bytes" in report:
        figures["arena_bytes"] = report["arena_bytes"]
    return figures


def require_same_pictures(a: dict[str, Any], b: dict[str, Any]) -> None:
    """Raises UsageError unless both reports scored the same pictures with the same labels."""
    if a["dataset"]["fingerprint"] != b["dataset"]["fingerprint"]:
        raise UsageError(
            "the two models were scored on different pictures",
            where="--against",
            fix="score both on one set: --data DATA --split SPLIT",
        )
