"""Runs as people see them: a table, one by one, side by side."""

from __future__ import annotations

from rich.table import Table

from edgectl.cli.session import Session, plain
from edgectl.cli.views.numbers import scalars
from edgectl.runs.listing import RunSummary
from edgectl.tasks.lookup import find_main_metric
from edgectl.workflows.runs import Cleaning, Comparison, RunDetails, RunList


def say_list(session: Session, found: RunList) -> None:
    """One row a run; an asterisk marks the latest."""
    if not found.runs:
        session.say("no run yet: edgectl train FAMILY --data DATA")
        return
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("", width=1)
    for heading in ("run", "state"):
        table.add_column(heading, no_wrap=True, overflow="fold")
    # what is copied and compared stays whole; names give way
    for heading, width in (("variant", 14), ("data", 9)):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=width)
    for heading in ("epochs", "MB", "metric"):
        table.add_column(heading, no_wrap=True)
    for r in found.runs:
        table.add_row(
            "*" if r.run == found.latest else "",
            plain(str(r.run)),
            r.state,
            plain(r.variant or r.family),
            plain(r.data),
            str(r.epochs),
            f"{r.bytes / 1e6:.1f}",
            plain(_main_metric(r)),
        )
    session.say(table)


def _main_metric(r: RunSummary) -> str:
    """The one that decides for the run's task; the first where its plugin is not here."""
    shown = [n for n in (find_main_metric(r.family), *scalars(r.metrics)) if n in r.metrics]
    return f"{shown[0]} {r.metrics[shown[0]]:.3f}" if shown else ""


def say_details(session: Session, found: RunDetails) -> None:
    """Figures, files and configuration of one run."""
    r = found.summary
    lines = [
        f"{r.run}: {r.state}, {r.epochs} epochs, {r.bytes / 1e6:.1f} MB, {r.created}",
        *(f"  {n}: {r.metrics[n]:.4f}" for n in scalars(r.metrics)),
        *(f"  exported: {a}" for a in r.artifacts),
        *(f"  {key} = {value}" for key, value in r.config.items()),
    ]
    session.say("\n".join(lines))


def say_comparison(session: Session, found: Comparison) -> None:
    """A column a run; of the configuration the keys that differ."""
    table = Table(box=None)
    table.add_column("")
    for r in found.runs:
        table.add_column(plain(str(r.run)), overflow="fold", justify="right")
    for key, values in found.config.items():
        table.add_row(plain(key), *(plain("–" if v is None else str(v)) for v in values))
    for name, numbers in found.metrics.items():
        table.add_row(plain(name), *("–" if v is None else f"{v:.4f}" for v in numbers))
    session.say(table)


def say_cleaning(session: Session, found: Cleaning) -> None:
    """What went."""
    verb = "would be removed" if found.dry_run else "removed"
    for path in found.removed:
        session.say(f"{verb}: {path}")
    session.say(f"{len(found.removed)} {verb}, {found.bytes / 1e6:.1f} MB")
