"""``edgectl eval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.session import Session
from edgectl.errors import GateFailedError
from edgectl.plugins.registry import build_registry

if TYPE_CHECKING:
    from rich.table import Table

    from edgectl.cli.models import OpenModel
    from edgectl.data.index import DatasetIndex
    from edgectl.plugins.registry import Registry

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

    from edgectl.cli.models import data_for, open_model

    registry = build_registry()
    opened = open_model(registry, model, prefer_artifact=True)
    index = data_for(registry, opened, data, session)
    split = split or opened.config.data.valid_split
    report = _score(registry, opened, index, split, runtime, threshold)
    reference = _reference(registry, opened, against, index, split, session)
    gates = [*opened.config.gates, *gate]

    from edgectl.export.evaluate import apply_gates

    results = apply_gates(gates, report, reference)
    session.data = {**report, "gates": [vars(r) for r in results]}
    if reference is not None:
        session.data["against"] = reference
    if not session.json:
        session.say(_table(report, reference))
        for r in results:
            verdict = "[green]passed[/green]" if r.passed else "[red]failed[/red]"
            session.say(f"gate {r.expr}: {r.value:.4f} {verdict}")
    failed = [r for r in results if not r.passed]
    if failed:
        raise GateFailedError(
            "; ".join(f"{r.expr} failed: {r.value:.4f}" for r in failed),
            fix="compare the stages with 'edgectl report', or try 'edgectl qat'",
        )


def _score(
    registry: Registry,
    model: OpenModel,
    index: DatasetIndex,
    split: str,
    runtime: str | None,
    threshold: float | None,
) -> dict[str, Any]:
    from edgectl.cli.models import scorable
    from edgectl.export.evaluate import score

    return score(scorable(registry, model, runtime=runtime, threshold=threshold), index, split)


def _reference(
    registry: Registry,
    model: OpenModel,
    against: Path | None,
    index: DatasetIndex,
    split: str,
    session: Session,
) -> dict[str, Any] | None:
    """The model named, or the checkpoint behind an artifact."""
    from edgectl.cli.models import open_model
    from edgectl.export.evaluate import scorable_checkpoint, score

    if against is not None:
        other = open_model(registry, against, prefer_artifact=False)
        return _score(registry, other, index, split, None, None)
    if model.artifact is None:
        return None
    if model.trained is None:
        session.warn(
            "the checkpoint this file was exported from is gone: no float figures beside it"
        )
        return None
    return score(scorable_checkpoint(model.trained, model.family.info.task, None), index, split)


def _table(report: dict[str, Any], reference: dict[str, Any] | None) -> Table:
    from rich.table import Table

    from edgectl.cli.figures import label, scalars

    dataset = report["dataset"]
    table = Table(
        title=f"{dataset['name']} {dataset['split']}: {dataset['images']} pictures",
        title_justify="left",
        box=None,
    )
    columns = [report] if reference is None else [reference, report]
    table.add_column("")
    for column in columns:
        table.add_column(label(column["model"]), justify="right")
    for name in scalars(report["metrics"]):
        table.add_row(name, *(f"{c['metrics'].get(name, float('nan')):.4f}" for c in columns))
    return table
