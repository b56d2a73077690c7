"""Scores anything that predicts - a checkpoint or an exported file - on the same images, one way.

Decode, preprocessing, postprocess and metric are the same objects for the float network and for the
file, so a difference in the figures is a difference of the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgectl.artifacts.artifact import Artifact
from edgectl.backends.contract import ArtifactReader
from edgectl.backends.runtime import default_runtime, file_on, open_runtime, precision_on
from edgectl.data.formats.reading.splits import split_name
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, UnknownNameError, UsageError
from edgectl.files import sha256_of
from edgectl.labels import Sample
from edgectl.metrics.bootstrap import Comparison, ImageScores, Resampled, compare
from edgectl.metrics.evaluator import EvalBatch, Predictor, evaluate_metric
from edgectl.metrics.gates import GateResult, check_gates
from edgectl.metrics.report import DatasetIdentity, EvaluationReport, ModelIdentity
from edgectl.plugins.family import Postprocess
from edgectl.plugins.info import BackendInfo
from edgectl.sources.source import Source
from edgectl.sources.tail import Tail
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.tasks.lookup import load_task, task_info, task_metrics

_BATCH = 16  # also the batch the cell-wise figures are defined for


@dataclass(frozen=True)
class EvaluationTarget:
    """Something that can be scored: how it predicts, and what the report calls it.

    Attributes:
        postprocess: None where nobody said how the heads are read.
        tail: from the heads to the network's own outputs, where they are something else.
    """

    predict: Predictor
    postprocess: Postprocess | None
    preprocess: PreprocessSpec
    outputs: tuple[OutputSpec, ...]
    classes: tuple[str, ...]
    task: str
    identity: ModelIdentity
    arena_bytes: int | None = None
    tail: Tail | None = None

    def require_postprocess(self) -> Postprocess:
        """Raises UsageError where nobody said how the heads are read."""
        if self.postprocess is None:
            raise UsageError(
                "nobody said how the outputs of this network are read",
                where=self.identity.path,
                fix="add --decode RULE; without one, eval measures agreement with the float outputs",
            )
        return self.postprocess

    def run(self, images: np.ndarray) -> list[Tensor]:
        """The network's own outputs. images: uint8 (N, H, W, 3)."""
        heads = self.predict(images)
        return heads if self.tail is None else self.tail.run(heads)


def target_from_source(source: Source, threshold: float | None) -> EvaluationTarget:
    """A float network."""
    return EvaluationTarget(
        predict=source.predictor(),
        postprocess=source.postprocess(threshold) if source.decoded else None,
        preprocess=source.preprocess,
        outputs=source.outputs,
        classes=source.classes,
        task=source.task,
        tail=source.tail,
        identity=ModelIdentity(
            path=str(source.path),
            kind="checkpoint" if source.trained is not None else "network",
            backend=None,
            precision="fp32",
            sha256=source.sha256,
            bytes=source.path.stat().st_size,
        ),
    )


def target_from_artifact(
    artifact: Artifact,
    backend: ArtifactReader,
    info: BackendInfo,
    postprocess: Postprocess | None,
    *,
    runtime: str | None,
    threshold: float | None,
    tail: Tail | None = None,
) -> EvaluationTarget:
    """The file that ships, on one of its backend's runtimes.

    Raises:
        UnknownNameError: a runtime the backend does not have.
        BackendUnavailableError: a runtime that is not installed.
    """
    manifest = artifact.manifest
    runtime = default_runtime(info, manifest) if runtime is None else runtime
    if runtime not in info.runtimes:
        raise UnknownNameError("runtime", runtime, info.runtimes, where="--runtime")
    file = file_on(info, artifact.directory, manifest, runtime)
    runner = open_runtime(
        backend,
        info,
        file,
        runtime=runtime,
        specs=artifact.outputs,
        preprocess=artifact.preprocess,
    )
    whole = file == artifact.model_file
    point = manifest.operating_point
    if postprocess is not None and threshold is not None:
        postprocess.threshold = threshold
    elif postprocess is not None and point is not None:
        postprocess.threshold = point.threshold

    def predict(images: np.ndarray) -> list[Tensor]:
        return [torch.from_numpy(o) for o in runner(images)]

    return EvaluationTarget(
        predict=predict,
        postprocess=postprocess,
        preprocess=artifact.preprocess,
        outputs=artifact.outputs,
        classes=manifest.classes,
        task=manifest.task,
        identity=ModelIdentity(
            path=str(file),
            kind="artifact",
            backend=artifact.backend,
            precision=precision_on(info, manifest, runtime),
            sha256=artifact.sha256 if whole else sha256_of(file),
            bytes=artifact.model_bytes if whole else file.stat().st_size,
            runtime=runtime,
        ),
        arena_bytes=runner.arena_bytes,
        tail=tail,
    )


@dataclass(frozen=True)
class Scored:
    """A report, and what a paired comparison needs: ``images``, None where the task's metric cannot be
    resampled."""

    report: EvaluationReport
    images: ImageScores | None


def score(model: EvaluationTarget, index: DatasetIndex, split: str) -> EvaluationReport:
    """The report of :func:`score_images`."""
    return score_images(model, index, split).report


def score_images(
    model: EvaluationTarget,
    index: DatasetIndex,
    split: str,
    progress: Callable[[int], None] = lambda images: None,
) -> Scored:
    """Scores a model on a split. ``progress`` is told how many more images are done.

    Raises:
        DataError: no such split, or other classes than the model was trained on.
    """
    samples = samples_of(index, split)
    require_same_classes(index, model.classes)
    batches = load_task(model.task).eval_batches(samples, model.preprocess, batch=_BATCH)
    figures, metric = evaluate_metric(
        model.predict,
        _told(batches, progress),
        model.require_postprocess(),
        model.outputs,
        task_metrics(model.task, model.classes, model.outputs, model.preprocess.input_size),
    )
    report = EvaluationReport(
        task=model.task,
        model=model.identity,
        dataset=DatasetIdentity(
            name=index.name,
            split=split_name(split),
            images=len(samples),
            fingerprint=index.fingerprint(split_name(split)),
        ),
        metrics=figures,
        # what the runtime cannot say is left out of the document
        **({} if model.arena_bytes is None else {"arena_bytes": model.arena_bytes}),
    )
    return Scored(report, metric.per_image() if isinstance(metric, Resampled) else None)


def require_same_classes(index: DatasetIndex, classes: Sequence[str]) -> None:
    """Raises DataError for a set with other classes than a model's, or in another order."""
    if index.classes != tuple(classes):
        raise DataError(
            f"'{index.name}' has the classes {list(index.classes)}, "
            f"the model was trained on {list(classes)}",
            fix="evaluate on a set with the same classes in the same order",
        )


def samples_of(index: DatasetIndex, split: str) -> tuple[Sample, ...]:
    """Raises DataError for a split that is not there, or has no images."""
    samples = index.splits.get(split_name(split))
    if not samples:
        raise DataError(
            f"no split '{split_name(split)}' in '{index.name}'",
            where=str(index.root),
            fix="use --split with one of: " + ", ".join(sorted(index.splits)),
        )
    return samples


def _told(loader: Iterable[EvalBatch], progress: Callable[[int], None]) -> Iterator[EvalBatch]:
    for batch in loader:
        yield batch
        progress(len(batch.images))


def compare_scored(measured: Scored, reference: Scored) -> Comparison | None:
    """The difference of the main figure with its interval; None where it cannot be resampled.

    Raises:
        UsageError: models of different tasks, or scored on different images.
    """
    task, other = measured.report.task, reference.report.task
    if task != other:
        raise UsageError(
            f"a {task} model cannot be compared with a {other} model",
            where="--against",
            fix="name a model of the same task",
        )
    require_same_images(measured.report, reference.report)
    if measured.images is None or reference.images is None:
        return None
    return compare(task_info(task).main_metric, measured.images, reference.images)


def apply_gates(
    expressions: Sequence[str], report: EvaluationReport, reference: EvaluationReport | None
) -> list[GateResult]:
    """Gates see the metrics, ``bytes`` of what a device loads and ``arena_bytes`` where known."""
    return check_gates(
        expressions, _figures(report), None if reference is None else _figures(reference)
    )


def _figures(report: EvaluationReport) -> dict[str, Any]:
    figures = {**report.metrics, "bytes": report.model.bytes}
    if report.arena_bytes is not None:
        figures["arena_bytes"] = report.arena_bytes
    return figures


def require_same_images(a: EvaluationReport, b: EvaluationReport) -> None:
    """Raises UsageError unless both reports scored the same images with the same labels."""
    if a.dataset.fingerprint != b.dataset.fingerprint:
        raise UsageError(
            "the two models were scored on different images",
            where="--against",
            fix="score both on one set: --data DATA --split SPLIT",
        )
