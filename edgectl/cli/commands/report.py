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
    run: Path | None = typer.Argument(None, help="Run directory; default: the latest run."),
    out: Path | None = typer.Option(None, help="Default: RUN/report.html."),
) -> None:
    """One self-contained HTML page about a run."""
    session: Session = ctx.obj

    from edgectl.report.html import write_report
    from edgectl.runs.rundir import latest_run, through_latest

    path = write_report(through_latest(run) if run else latest_run().path, out)
    session.data = {"report": str(path), "bytes": path.stat().st_size}
    if not session.json:
        session.say(str(path))
