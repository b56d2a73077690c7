"""``edgectl eval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgectl.cli.session import Session, plain
from edgectl.errors import GateFailedError, UsageError

if TYPE_CHECKING:
    from edgectl.data.index import DatasetIndex
    from edgectl.evaluation.evaluate import EvaluationTarget, Scored
    from edgectl.metrics.diagnosis import Finding
    from edgectl.plugins.registry import Registry
    from edgectl.workflows.opening.models import OpenModel

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl eval                                          the latest run: its exported file, else its checkpoint

edgectl eval runs/train/fomo-001/export/tflite-int8 --runtime tflm --gate "f1_drop<=0.01"

Exit code 4 when a gate fails."""


@app.command("eval", epilog=_EPILOG)
def evaluate(
    ctx: typer.Context,
    model: Path | None = typer.Argument(None, help="Run, checkpoint, artifact or model file."),
    data: str | None = typer.Option(None, help="Default: the data the model was trained on."),
    split: str | None = typer.Option(None, help="Default: the run's validation split."),
    runtime: str | None = typer.Option(None, help="One of the backend's runtimes."),
    threshold: float | None = typer.Option(
        None, min=0.0, max=1.0, help="Instead of the stored operating point."
    ),
    gate: list[str] = typer.Option([], help='For example "f1>=0.7" or "f1_drop<=0.01".'),
    against: Path | None = typer.Option(
        None, help="Compare with this model; an artifact: with its checkpoint."
    ),
) -> None:
    """Score a checkpoint or an exported file."""
    session: Session = ctx.obj

    from edgectl.cli.views.eval import comparison_line, errors_table, metrics_table
    from edgectl.evaluation.evaluate import apply_gates, compare_scored
    from edgectl.workflows.opening.datasets import data_for
    from edgectl.workflows.opening.models import open_for_evaluation, open_model

    context = session.open_context()
    registry = context.registry
    opened = open_model(registry, model, prefer_artifact=True)
    index = data_for(context, opened, data)
    if split == "":
        known = ", ".join(sorted(index.splits))
        raise UsageError("names no split", where="--split", fix=f"one of {known}; or leave it out")
    split = split or opened.config.data.valid_split
    candidate = open_for_evaluation(registry, opened, runtime=runtime, threshold=threshold)
    scored = _score(candidate, index, split)
    other = _reference(registry, opened, against, index, split, session)
    reference = None if other is None else other.report
    gates = [*_configured_gates(opened, reference is not None, session), *gate]
    comparison = None if other is None else compare_scored(scored, other)
    results = apply_gates(gates, scored.report, reference)
    findings = _findings(opened, candidate, scored, index, split)
    session.data = {
        **scored.report.to_dict(),
        "gates": [vars(r) for r in results],
        "diagnosis": [f.to_dict() for f in findings],
    }
    if reference is not None:
        session.data["against"] = reference.to_dict()
    if comparison is not None:
        session.data["comparison"] = comparison.to_dict()
    if not session.json:
        session.say(metrics_table(scored.report, reference))
        if "errors" in scored.report.metrics:
            session.say(errors_table(scored.report.metrics["errors"]))
        if comparison is not None:
            session.say(comparison_line(comparison))
        for finding in findings:
            session.say(f"[cyan]•[/cyan] {plain(finding.message)}", markup=True)
        for r in results:
            verdict = "[green]passed[/green]" if r.passed else "[red]failed[/red]"
            session.say(f"gate {r.expr}: {r.value:.4f} {verdict}", markup=True)
    failed = [r for r in results if not r.passed]
    if failed:
        raise GateFailedError(
            "; ".join(f"{r.expr} failed: {r.value:.4f}" for r in failed),
            fix="compare the stages with 'edgectl report', or try 'edgectl qat'",
        )


def _configured_gates(model: OpenModel, compared: bool, session: Session) -> list[str]:
    """Of the run. A drop is what a file lost on its way from the checkpoint: that itself has none."""
    from edgectl.metrics.gates import Gate

    if model.artifact is not None:
        if model.trained is None and model.artifact.manifest.gates is None:
            session.warn(
                "the checkpoint is gone, and the gates configured for its run with it: none is checked"
            )
        return list(model.gates)
    drops = [] if compared else [g for g in model.gates if Gate.parse(g).drop]
    if drops:
        session.warn(f"not checked without --against: {', '.join(drops)}; files are held to it")
    return [g for g in model.gates if g not in drops]


def _score(model: EvaluationTarget, index: DatasetIndex, split: str) -> Scored:
    from edgectl.cli.views.numbers import label
    from edgectl.cli.views.progress import image_bar
    from edgectl.evaluation.evaluate import samples_of, score_images

    with image_bar(label(model.identity), len(samples_of(index, split))) as done:
        return score_images(model, index, split, done)


def _reference(
    registry: Registry,
    model: OpenModel,
    against: Path | None,
    index: DatasetIndex,
    split: str,
    session: Session,
) -> Scored | None:
    """The model named, or the checkpoint behind an artifact."""
    from edgectl.evaluation.evaluate import target_from_checkpoint
    from edgectl.workflows.opening.models import open_for_evaluation, open_model

    if against is not None:
        other = open_model(registry, against, prefer_artifact=False)
        return _score(
            open_for_evaluation(registry, other, runtime=None, threshold=None), index, split
        )
    if model.artifact is None:
        return None
    if model.trained is None:
        session.warn(
            "the checkpoint this file was exported from is gone: no float figures beside it"
        )
        return None
    return _score(target_from_checkpoint(model.trained, model.family.info.task, None), index, split)


def _findings(
    model: OpenModel, candidate: EvaluationTarget, scored: Scored, index: DatasetIndex, split: str
) -> list[Finding]:
    """Of the figures, the images, and the run where they are its own."""
    from edgectl.evaluation.evaluate import samples_of
    from edgectl.metrics.diagnosis import Evidence, diagnose
    from edgectl.runs.events import read_events
    from edgectl.tasks.lookup import task_info

    run, name = model.location.run, model.config.data.train_split
    noted = (model.trained.checkpoint.data if model.trained else {}).get("fingerprint", {})
    known = name in index.splits and noted.get(name) == index.fingerprint(name)
    return diagnose(
        Evidence(
            main=task_info(candidate.task).main_metric,
            figures=scored.report.metrics,
            classes=candidate.classes,
            scored=samples_of(index, split),
            train=index.splits[name] if known else None,
            preprocess=candidate.preprocess,
            threshold=candidate.postprocess.threshold,
            events=read_events(run.events) if run is not None else (),
        )
    )
