"""``edgectl runs``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

app = typer.Typer(add_completion=False, no_args_is_help=True)

_RUN = typer.Argument(None, metavar="[RUN]", help="Run directory; default: the latest run.")


@app.command("list", epilog="Examples: edgectl runs list · edgectl runs list --json")
def list_(ctx: typer.Context) -> None:
    """Every run of this project: state, data, metrics, size. An asterisk marks the latest."""
    session: Session = ctx.obj
    session.command = "runs list"

    from edgectl.cli.views.runs import say_list
    from edgectl.workflows.runs import list_all

    session.deliver(list_all, say_list)


@app.command(epilog="Examples: edgectl runs show · edgectl runs show runs/train/fomo-001")
def show(ctx: typer.Context, run: Path | None = _RUN) -> None:
    """One run: metrics, exported files, configuration."""
    session: Session = ctx.obj
    session.command = "runs show"

    from edgectl.cli.views.runs import say_details
    from edgectl.workflows.runs import show as work

    session.deliver(lambda: work(run), say_details)


@app.command(epilog="Example: edgectl runs compare runs/train/fomo-001 runs/train/fomo-002")
def compare(
    ctx: typer.Context, runs: list[Path] = typer.Argument(help="Two run directories or more.")
) -> None:
    """Runs side by side: the configuration they differ in, and their metrics."""
    session: Session = ctx.obj
    session.command = "runs compare"

    from edgectl.cli.views.runs import say_comparison
    from edgectl.workflows.runs import compare as work

    session.deliver(lambda: work(runs), say_comparison)


@app.command(epilog="Examples: edgectl runs clean --dry-run · edgectl runs clean")
def clean(
    ctx: typer.Context,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be removed."),
) -> None:
    """Remove what killed commands left below runs, and runs without a checkpoint."""
    session: Session = ctx.obj
    session.command = "runs clean"

    from edgectl.cli.views.runs import say_cleaning
    from edgectl.workflows.runs import clean as work

    session.deliver(lambda: work(dry_run=dry_run), say_cleaning)
