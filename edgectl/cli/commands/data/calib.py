"""``edgectl data calib``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.commands.data.options import Assignments, Images
from edgectl.cli.session import Session

EPILOG = """Examples:

edgectl data calib coco_mask --count 100 --out calib

edgectl data calib coco_mask --out calib --to npy --imgsz 192"""


def calib(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    out: Path = typer.Option(..., help="A new directory."),
    count: int = typer.Option(128, min=1),
    seed: int = typer.Option(0, min=0),
    to: str = typer.Option("list", "--to", help="list, npy, bin or zip."),
    imgsz: str = typer.Option("192", help="Of npy and bin: images are letterboxed to it."),
    images: Images = "",
    assignments: Assignments = [],  # noqa: B006 - typer copies it
) -> None:
    """The calibration images of *train*: by name and hash, or in the forms vendor tools take."""
    session: Session = ctx.obj
    session.command = "data calib"

    from edgectl.cli.views.data.written import say_calibration
    from edgectl.workflows.data.calibration import write_calibration_images

    session.deliver(
        lambda: write_calibration_images(
            data,
            out=out,
            count=count,
            seed=seed,
            to=to,
            imgsz=imgsz,
            images=images or None,
            set=assignments,
            console=session,
            offline=session.offline,
        ),
        say_calibration,
    )
