"""``edgectl data stats``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.commands.data.options import Assignments, Images
from edgectl.cli.session import Session

EPILOG = "Example: edgectl data stats coco_mask --imgsz 192 --out stats.png"


def stats(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    imgsz: str = typer.Option("192", help="Input size of the network in mind."),
    out: Path | None = typer.Option(None, help="PNG to write."),
    images: Images = "",
    assignments: Assignments = [],  # noqa: B006 - typer copies it
) -> None:
    """Object sizes, shapes and crowding of every split."""
    session: Session = ctx.obj
    session.command = "data stats"

    from edgectl.cli.views.data.stats import say_histograms
    from edgectl.workflows.data.stats import measure_data

    session.deliver(
        lambda: measure_data(
            data,
            imgsz=imgsz,
            out=out,
            images=images or None,
            set=assignments,
            console=session,
            offline=session.offline,
        ),
        say_histograms,
    )
