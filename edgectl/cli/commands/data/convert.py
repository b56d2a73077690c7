"""``edgectl data convert``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.commands.data.options import Assignments, Images
from edgectl.cli.session import Session

EPILOG = "Example: edgectl data convert ./voc_set ./yolo_set --to yolo"


def convert(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    out: Path = typer.Argument(help="A new directory."),
    to: str = typer.Option(..., "--to", help="coco, coco-roboflow, voc, yolo, csv or folder."),
    fmt: str = typer.Option("auto", "--from", help="Format of DATA; detected."),
    images: Images = "",
    assignments: Assignments = [],  # noqa: B006 - typer copies it
) -> None:
    """Write a set again in another format, images included."""
    session: Session = ctx.obj
    session.command = "data convert"

    from edgectl.workflows.data.convert import convert_data

    session.deliver(
        lambda: convert_data(
            data,
            out,
            to=to,
            format=fmt,
            images=images or None,
            set=assignments,
            console=session,
            offline=session.offline,
        ),
        lambda session, done: session.say(
            f"{done.directory}: {done.images} images from {done.source} to {done.format}"
        ),
    )
