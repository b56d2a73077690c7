"""What ``edgectl eval`` shows people: the table, the difference, the findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgectl.cli.session import Session, plain
from edgectl.cli.views.numbers import scalars
from edgectl.workflows.evaluate import Evaluation, name_model

if TYPE_CHECKING:
    from rich.table import Table

    from edgectl.metrics.bootstrap import Comparison
    from edgectl.metrics.report import EvaluationReport


_CLASSES_SHOWN = 12
"""More are for ``--json``."""


def say_evaluation(session: Session, found: Evaluation) -> None:
    """The metrics, what became of the objects, the comparison, the findings, the gates."""
    if found.empty:
        dataset = found.dataset
        session.say(
            f"{dataset.name} {dataset.split}: {dataset.images} images, none with a labelled object: "
            "there is nothing to score"
        )
        return
    session.say(metrics_table(found.report, found.against))
    if "errors" in found.metrics:
        session.say(errors_table(found.metrics["errors"]))
    if found.comparison is not None:
        session.say(comparison_line(found.comparison))
    for finding in found.findings:
        session.say(f"[cyan]•[/cyan] {plain(finding.message)}", markup=True)
    for g in found.gates:
        verdict = "[green]passed[/green]" if g.passed else "[red]failed[/red]"
        session.say(f"gate {g.expr}: {g.value:.4f} {verdict}", markup=True)


def metrics_table(report: EvaluationReport, reference: EvaluationReport | None) -> Table:
    """One row a figure, then the main figure of each class; the reference's column first."""
    from rich.table import Table

    from edgectl.tasks.lookup import task_info

    dataset = report.dataset
    table = Table(
        title=f"{dataset.name} {dataset.split}: {dataset.images} images",
        title_justify="left",
        box=None,
    )
    columns = [report] if reference is None else [reference, report]
    table.add_column("")
    for heading in _headings(columns):
        table.add_column(heading, justify="right", overflow="fold")
    figures = [c.metrics for c in columns]
    for name in scalars(report.metrics):
        table.add_row(name, *(_number(f.get(name)) for f in figures))
    main = task_info(report.task).main_metric
    per_class = [f.get("per_class", {}) for f in figures]
    names = [n for n, own in per_class[-1].items() if main in own]
    if 1 < len(names) <= _CLASSES_SHOWN:
        for name in names:
            cells = (_number(p.get(name, {}).get(main)) for p in per_class)
            table.add_row(f"{main} {name}", *cells)
    return table


def errors_table(errors: dict[str, Any]) -> Table:
    """What became of the objects, by their size for the network; the last row is all of them."""
    from rich.table import Table

    kinds = {"found": "found", "confused": "other class", "loose": "box off", "missed": "missed"}
    table = Table(
        title=f"objects at score {errors['threshold']:.2f}, by size for the network",
        title_justify="left",
        box=None,
    )
    for heading in ("", "objects", *kinds.values()):
        table.add_column(heading, justify="right" if heading else "left")
    rows = errors["by_size"]
    for r in rows:
        low, below = f"{r['from']:g}", r["below"]
        size = f"over {low} px" if below is None else f"{low} to {below:g} px"
        table.add_row(size, *(str(r[k]) for k in ("objects", *kinds)))
    table.add_row("all", *(str(sum(r[k] for r in rows)) for k in ("objects", *kinds)))
    table.caption = f"boxes on nothing: {errors['false_alarms']}, twice: {errors['duplicates']}"
    table.caption_justify = "left"
    return table


def _headings(columns: list[EvaluationReport]) -> list[str]:
    """What each model is called; its path where that is the same for both."""
    names = [name_model(c.model) for c in columns]
    return names if len(set(names)) == len(names) else [c.model.path for c in columns]


def comparison_line(comparison: Comparison) -> str:
    """``AP differs by -0.0071, 95 % interval -0.0112 to -0.0030 (...)``."""
    return (
        f"{comparison.metric} differs by {comparison.difference:+.4f}, {comparison.level:.0%} "
        f"interval {comparison.low:+.4f} to {comparison.high:+.4f} "
        f"(paired bootstrap over {comparison.images} images)"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
