"""``edgectl report``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Examples:\n\nedgectl report\n\nedgectl report runs/train/fomo-001 --out report.html"
)
def report(
    ctx: typer.Context,
    path: Path | None = typer.Argument(
        None, metavar="[RUN]", help="Run directory; default: the latest run."
    ),
    out: Path | None = typer.Option(None, help="Default: RUN/report.html."),
) -> None:
    """One self-contained HTML page about a run."""
    session: Session = ctx.obj

    from edgectl.workflows.report import report as run

    session.deliver(lambda: run(path, out=out), lambda session, page: session.say(str(page.path)))
