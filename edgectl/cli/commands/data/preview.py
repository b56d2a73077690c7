"""``edgectl data preview``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.commands.data.options import Images
from edgectl.cli.session import Session

EPILOG = """Examples:

edgectl data preview coco_mask --out sheet.png

edgectl data preview coco_mask --augmented --count 25 --set augment.mosaic=1.0"""


def preview(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    out: Path = typer.Option(Path("preview.png"), help="PNG to write."),
    split: str = typer.Option("train"),
    count: int = typer.Option(16, min=1, max=400),
    imgsz: str = typer.Option("192", help="Size of each image on the sheet."),
    seed: int = typer.Option(0, min=0),
    augmented: bool = typer.Option(False, help="As detection training sees them."),
    images: Images = "",
    assignments: list[str] = typer.Option([], "--set", help="augment.a=b, with --augmented."),
) -> None:
    """A contact sheet of images with their labels."""
    session: Session = ctx.obj
    session.command = "data preview"

    from edgectl.workflows.data.preview import preview_data

    session.deliver(
        lambda: preview_data(
            data,
            out=out,
            split=split,
            count=count,
            imgsz=imgsz,
            seed=seed,
            augmented=augmented,
            set=assignments,
            images=images or None,
            console=session,
            offline=session.offline,
        ),
        lambda session, done: session.say(f"{done.file}: {len(done.images)} images of {split}"),
    )
