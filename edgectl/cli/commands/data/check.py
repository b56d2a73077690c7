"""``edgectl data check``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.commands.data.options import Assignments, Images
from edgectl.cli.session import Session

EPILOG = """Examples:

edgectl data check ./my_images --imgsz 192

edgectl data check ./my_images --fix ./my_images_fixed

Exit code 5 when there are errors, 0 with warnings only."""


def check(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    imgsz: str = typer.Option("192", help="Input size of the network in mind."),
    cell: float = typer.Option(8.0, min=1.0, help="Its finest stride, pixels."),
    fix: Path | None = typer.Option(
        None, help="Write a repaired copy here, with all that can be kept."
    ),
    fmt: str = typer.Option("auto", "--from", help="Format of DATA; detected."),
    images: Images = "",
    assignments: Assignments = [],  # noqa: B006 - typer copies it
) -> None:
    """Find what would spoil training or scores, before it does."""
    session: Session = ctx.obj
    session.command = "data check"

    from edgectl.cli.views.data.check import say_report
    from edgectl.workflows.data.check import check_data

    session.deliver(
        lambda: check_data(
            data,
            imgsz=imgsz,
            cell=cell,
            fix=fix,
            format=fmt,
            images=images or None,
            set=assignments,
            console=session,
            offline=session.offline,
        ),
        say_report,
    ).require_no_errors()
