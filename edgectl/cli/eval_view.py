"""What ``edgectl eval`` shows people: the table, the difference, the findings, a bar meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgectl.cli.figures import label, scalars

if TYPE_CHECKING:
    from rich.table import Table

    from edgectl.metrics.bootstrap import Comparison


@contextmanager
def picture_bar(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while pictures are scored, on terminals only; call it with pictures done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done: bar.advance(task, done)


def figures_table(report: dict[str, Any], reference: dict[str, Any] | None) -> Table:
    """One row a figure; the reference's column first."""
    from rich.table import Table

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
        table.add_row(name, *(_number(c["metrics"].get(name)) for c in columns))
    return table


def comparison_line(comparison: Comparison) -> str:
    """``AP differs by -0.0071, 95 % interval -0.0112 to -0.0030 (...)``."""
    return (
        f"{comparison.metric} differs by {comparison.difference:+.4f}, {comparison.level:.0%} "
        f"interval {comparison.low:+.4f} to {comparison.high:+.4f} "
        f"(paired bootstrap over {comparison.pictures} pictures)"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
