"""The table of ``edgectl demo``."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from edgectl.cli.session import Session
from edgectl.cli.views.numbers import scalars
from edgectl.workflows.demo import Demo
from edgectl.workflows.evaluate import name_model


def say_demo(session: Session, found: Demo, out: Path) -> None:
    """A row for the network and for each runtime of its file; where the page is, as seen from here."""
    names = [n for n in scalars(found.rows[0].metrics) if not n.startswith("sscma")]
    table = Table("what was scored", *names, "sha256", box=None)
    for r in found.rows:
        figures = (f"{r.metrics[n]:.4f}" for n in names)
        table.add_row(name_model(r.model), *figures, r.model.sha256[:12])
    session.say(table)
    session.say(f"report: {out / found.report.relative_to(out.resolve())}")
