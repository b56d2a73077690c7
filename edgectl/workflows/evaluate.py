"""Scores a checkpoint or an exported file, and holds it to its gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from edgectl.data.index import DatasetIndex
from edgectl.errors import GateFailedError, UsageError
from edgectl.evaluation.evaluate import (
    EvaluationTarget,
    Scored,
    apply_gates,
    compare_scored,
    samples_of,
    score_images,
    target_from_source,
)
from edgectl.labels import has_objects
from edgectl.metrics.bootstrap import Comparison
from edgectl.metrics.diagnosis import Evidence, Finding, diagnose
from edgectl.metrics.gates import Gate, GateResult
from edgectl.metrics.report import DatasetIdentity, EvaluationReport, ModelIdentity
from edgectl.runs.events import read_events
from edgectl.runs.locate import resolve_model
from edgectl.spec import TENSORS
from edgectl.tasks.lookup import task_info
from edgectl.workflows.arguments import PathLike, SizeLike, read_path
from edgectl.workflows.console import Console
from edgectl.workflows.networks.agreement import evaluate_agreement
from edgectl.workflows.opening.anything import open_anything
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.exports import choose_for_board, choose_of_backend, exports_of
from edgectl.workflows.opening.models import OpenModel, open_for_evaluation, open_model
from edgectl.workflows.opening.networks import NetworkOptions, read_statement
from edgectl.workflows.opening.run_data import data_for

_SIZES = {"bytes", "arena_bytes"}
"""What gates may hold that no training changes."""


@dataclass(frozen=True)
class Evaluation:
    """What a model scores.

    Attributes:
        report: task, model, data set and metrics.
        gates: each with the value it looked at, and whether it passed.
        findings: what the figures, the images and the run tell of weak spots.
        against: the same report of the model compared with; None where there is none.
        comparison: the difference of the main metric with its interval, where it has one.
        empty: no image has a labelled object, so that the metrics say nothing.
    """

    report: EvaluationReport
    gates: tuple[GateResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    against: EvaluationReport | None = None
    comparison: Comparison | None = None
    empty: bool = False

    @property
    def task(self) -> str:
        """What the model does: ``detection``, for example."""
        return self.report.task

    @property
    def model(self) -> ModelIdentity:
        """What was scored: path, kind, backend, precision, sha256, bytes."""
        return self.report.model

    @property
    def dataset(self) -> DatasetIdentity:
        """What it was scored on: name, split, images, fingerprint."""
        return self.report.dataset

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics by name; ``per_class`` holds those of each class."""
        return self.report.metrics

    @property
    def passed(self) -> bool:
        """Whether every gate did."""
        return all(g.passed for g in self.gates)

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``eval --json``."""
        data = {
            **self.report.to_dict(),
            "gates": [vars(g) for g in self.gates],
            "diagnosis": [f.to_dict() for f in self.findings],
        }
        if self.against is not None:
            data["against"] = self.against.to_dict()
        if self.comparison is not None:
            data["comparison"] = self.comparison.to_dict()
        return data


def evaluate(
    model: PathLike | None = None,
    *,
    data: PathLike | None = None,
    images: PathLike | None = None,
    split: str | None = None,
    backend: str | None = None,
    target: str | None = None,
    runtime: str | None = None,
    threshold: float | None = None,
    gate: Sequence[str] = (),
    against: PathLike | None = None,
    device: str | None = None,
    imgsz: SizeLike | None = None,
    console: Console | None = None,
    offline: bool = False,
    **network: Unpack[NetworkOptions],
) -> Evaluation:
    """``edgectl eval``: each argument is its option.

    Args:
        model: a run, checkpoint, artifact or network of another program; a run stands for the file it
            exported last, where there is one. Default: the latest run.
        backend: of a run, the file exported last by this one. target: of a run, the file that ``deploy``
            would take for this board.
        data: default: what the model was trained on. split: default: the run's validation split.
        images: directory of its images, where they are not beside the labels.
        threshold: of scores, 0 to 1; default: the operating point stored with the model.
        gate: ``"f1>=0.7"`` or ``"f1_drop<=0.01"``, beside those configured for the run.
        against: a model to compare with; an artifact is compared with its checkpoint.
        device: where checkpoints run; default: the CPU. A file runs on its runtime.
        imgsz, network: of networks of other programs; see
            :class:`edgectl.workflows.opening.networks.NetworkOptions`.

    Raises:
        UsageError, UnknownNameError: a model, split or runtime that does not go.
        DataError: other classes than the model's.
        GateFailedError: the evaluation is its ``result``.
    """
    context = open_context(console, offline)
    wanted = None if data is None else str(data)
    opened = open_anything(
        context,
        _choose_file(context, read_path(model), backend, target),
        read_statement(network, imgsz),
        prefer_artifact=True,
        device=device,
        data=wanted,
    )
    if opened.task == TENSORS:
        report = evaluate_agreement(
            context, opened, wanted, split, runtime=runtime, against=read_path(against)
        )
        return _require_gates(
            Evaluation(report=report, gates=tuple(apply_gates(gate, report, None)))
        )
    index = data_for(context, opened, wanted, images=images)
    split = _choose_split(split, opened, index)
    empty = not has_objects(samples_of(index, split))
    if empty:
        # without objects every metric is 0 or undefined, and means nothing
        context.console.warn(
            f"no image of '{split}' has a labelled object: the metrics say nothing"
        )
    candidate = open_for_evaluation(context.registry, opened, runtime=runtime, threshold=threshold)
    scored = _score(context, candidate, index, split)
    other = _reference(context, opened, against, index, split, device)
    reference = None if other is None else other.report
    gates = [*_configured_gates(context, opened, reference is not None), *gate]
    found = Evaluation(
        report=scored.report,
        comparison=None if other is None else compare_scored(scored, other),
        gates=tuple(apply_gates(gates, scored.report, reference)),
        findings=tuple(
            diagnose(gather_evidence(opened, candidate, scored.report.metrics, index, split))
        ),
        against=reference,
        empty=empty,
    )
    return _require_gates(found)


def _choose_file(
    context: Context, model: Path | None, backend: str | None, target: str | None
) -> Path | None:
    """``model`` itself, where neither is asked for."""
    if backend is None and target is None:
        return model
    location = resolve_model(model)
    if location.kind not in ("run", "checkpoint"):
        raise UsageError(
            "a file is what it is: --backend and --target choose among a run's",
            where=str(model),
            fix="leave them out, or name the run",
        )
    if backend is not None:
        return choose_of_backend(location, backend)
    assert target is not None
    board = context.registry.boards.get(target)
    chosen = choose_for_board(exports_of(location), board, own_program=False)
    if chosen is None:
        raise UsageError(
            f"no export for {board.name} yet",
            where="--target",
            fix=f"edgectl deploy --target {board.name}, which makes one",
        )
    return chosen.directory


def _require_gates(found: Evaluation) -> Evaluation:
    failed = [g for g in found.gates if not g.passed]
    if not failed:
        return found
    error = GateFailedError(
        "; ".join(f"{g.expr} failed: {g.value:.4f}" for g in failed), fix=_advise(found, failed)
    )
    error.result = found
    raise error


def _advise(found: Evaluation, failed: Sequence[GateResult]) -> str:
    """Quantization is blamed only where the float network passes."""
    if {Gate.parse(g.expr).name for g in failed} <= _SIZES:
        return "a smaller --variant or --imgsz"
    if found.model.kind == "checkpoint":
        return "train further, or on more images; 'edgectl report' shows where it fails"
    reference = found.against
    if reference is not None and not any(Gate.parse(g.expr).drop for g in failed):
        lost = apply_gates([g.expr for g in failed], reference, None)
        if not any(g.passed for g in lost):
            return "the float network fails as well: train further; 'edgectl report' shows where it fails"
    return f"edgectl qat --backend {found.model.backend}, or more calibration images"


def _choose_split(split: str | None, model: OpenModel, index: DatasetIndex) -> str:
    if split == "":
        known = ", ".join(sorted(index.splits))
        raise UsageError("names no split", where="--split", fix=f"one of {known}; or leave it out")
    return split or model.config.data.valid_split


def _configured_gates(context: Context, model: OpenModel, compared: bool) -> list[str]:
    """Of the run. A drop is what a file lost on its way from the checkpoint: that itself has none."""
    warn = context.console.warn
    if model.artifact is not None:
        if model.source is None and model.artifact.manifest.gates is None:
            warn(
                "the checkpoint is gone, and the gates configured for its run with it: none is checked"
            )
        return list(model.gates)
    drops = [] if compared else [g for g in model.gates if Gate.parse(g).drop]
    if drops:
        warn(f"not checked without --against: {', '.join(drops)}; files are held to it")
    return [g for g in model.gates if g not in drops]


def _score(context: Context, model: EvaluationTarget, index: DatasetIndex, split: str) -> Scored:
    with context.console.bar(name_model(model.identity), len(samples_of(index, split))) as done:
        return score_images(model, index, split, done)


def name_model(model: ModelIdentity) -> str:
    """``float checkpoint`` or ``tflite int8 (litert)``."""
    if model.kind == "checkpoint":
        return "float checkpoint"
    if model.kind == "network":
        return "float network"
    return f"{model.backend} {model.precision} ({model.runtime})"


def _reference(
    context: Context,
    model: OpenModel,
    against: PathLike | None,
    index: DatasetIndex,
    split: str,
    device: str | None,
) -> Scored | None:
    """The model named, or the checkpoint behind an artifact."""
    if against is not None:
        path = read_path(against)
        other = open_model(context.registry, path, prefer_artifact=False, device=device)
        target = open_for_evaluation(context.registry, other, runtime=None, threshold=None)
        return _score(context, target, index, split)
    if model.artifact is None:
        return None
    if model.source is None:
        context.console.warn(
            "the network this file was exported from is gone: no float figures beside it"
        )
        return None
    target = target_from_source(model.source, None)
    return _score(context, target, index, split)


def gather_evidence(
    model: OpenModel,
    candidate: EvaluationTarget,
    metrics: dict[str, Any],
    index: DatasetIndex,
    split: str,
) -> Evidence:
    """What findings are drawn from: the metrics, the images, and the run where they are its own."""
    run, name = model.location.run, model.config.data.train_split
    noted = (model.source.data if model.source else {}).get("fingerprint", {})
    known = name in index.splits and noted.get(name) == index.fingerprint(name)
    return Evidence(
        main=task_info(candidate.task).main_metric,
        figures=metrics,
        classes=candidate.classes,
        scored=samples_of(index, split),
        train=index.splits[name] if known else None,
        preprocess=candidate.preprocess,
        threshold=candidate.require_postprocess().threshold,
        events=read_events(run.events) if run is not None else (),
    )
