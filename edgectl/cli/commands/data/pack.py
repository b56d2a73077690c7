"""``edgectl data pack``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.commands.data.options import Assignments, Images
from edgectl.cli.session import Session

EPILOG = """Examples:

edgectl data pack coco128 coco128.lmdb

edgectl train rtmdet --data coco128.lmdb"""


def pack(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    out: Path | None = typer.Argument(None, help="A new directory; default: NAME.lmdb here."),
    to: str = typer.Option("lmdb", "--to", help="lmdb."),
    split_name: list[str] = typer.Option([], help="Only these splits; default: all."),
    workers: int = typer.Option(4, min=1, help="Threads that read images."),
    images: Images = "",
    assignments: Assignments = [],  # noqa: B006 - typer copies it
) -> None:
    """Put images and labels into one memory-mapped pack."""
    session: Session = ctx.obj
    session.command = "data pack"

    from edgectl.workflows.data.pack import pack_data

    session.deliver(
        lambda: pack_data(
            data,
            out,
            to=to,
            split_name=split_name,
            workers=workers,
            images=images or None,
            set=assignments,
            console=session,
            offline=session.offline,
        ),
        lambda session, done: session.say(
            f"{done.path}: {done.images} images, {done.bytes:,} bytes"
        ),
    )
