"""``edgectl report``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Examples:\n\nedgectl report\n\nedgectl report runs/train/fomo-001 --out report.html\n\n"
    "edgectl report runs/train/fomo-002 runs/train/fomo-001"
)
def report(
    ctx: typer.Context,
    path: Path | None = typer.Argument(
        None, metavar="[RUN]", help="Run directory; default: the latest run."
    ),
    against: Path | None = typer.Argument(None, metavar="[RUN]", help="A run to compare it with."),
    data: str | None = typer.Option(None, help="Where the run's data set is now, if it has moved."),
    out: Path | None = typer.Option(None, help="Default: RUN/report.html."),
) -> None:
    """One self-contained HTML page about a run."""
    session: Session = ctx.obj

    from edgectl.workflows.report import report as run

    session.deliver(
        lambda: run(path, against, data=data, out=out, console=session, offline=session.offline),
        lambda session, page: session.say(str(page.path)),
    )
