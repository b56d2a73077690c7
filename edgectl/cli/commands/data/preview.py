"""``edgectl data preview``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session
from edgectl.errors import UsageError

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
    assignments: list[str] = typer.Option([], "--set", help="augment.a=b, with --augmented."),
) -> None:
    """A contact sheet of images with their labels."""
    session: Session = ctx.obj
    session.command = "data preview"

    import numpy as np

    from edgectl.data.inspect import sheet
    from edgectl.files import replacing_file
    from edgectl.workflows.opening.configuration import parse_size, resolve_config
    from edgectl.workflows.opening.datasets import open_data

    config = resolve_config({}, {}, assignments)
    index = open_data(session.open_context(), data, config)
    if split not in index.splits:
        raise UsageError(f"no split '{split}'", fix="one of " + ", ".join(sorted(index.splits)))
    samples = index.splits[split]
    order = np.random.default_rng(seed).permutation(len(samples))[:count]
    chosen = [samples[i] for i in sorted(order)]
    size = parse_size(imgsz)
    if augmented and chosen[0].image_label is not None:
        raise UsageError(
            "--augmented draws detection's augmentation; this set labels whole images",
            fix="leave --augmented out",
        )
    images = (
        sheet.augmented(chosen, index.classes, size, config.augment, seed)
        if augmented
        else sheet.plain(chosen, index.classes, size)
    )
    drawn = sheet.contact_sheet(list(images), index.classes)
    with replacing_file(out) as f:
        f.write(sheet.png(drawn))
    session.data = {"file": str(out), "images": [s.path.name for s in chosen]}
    session.say(f"{out}: {len(chosen)} images of {split}")
