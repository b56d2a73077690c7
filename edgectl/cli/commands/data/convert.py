"""``edgectl data convert``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

EPILOG = "Example: edgectl data convert ./voc_set ./yolo_set --to yolo"


def convert(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    out: Path = typer.Argument(help="A new directory."),
    to: str = typer.Option(..., "--to", help="coco, coco-roboflow, voc, yolo, csv or folder."),
    fmt: str = typer.Option("auto", "--from", help="Format of DATA; detected."),
) -> None:
    """Write a set again in another format, images included."""
    session: Session = ctx.obj
    session.command = "data convert"

    from edgectl.data.formats import read_dataset
    from edgectl.data.formats.writing import write_dataset
    from edgectl.data.inspect.stats import describe
    from edgectl.workflows.opening.configuration import resolve_config
    from edgectl.workflows.opening.datasets import open_data

    config = resolve_config({}, {"data": {"format": fmt}}, [])
    index = open_data(session.open_context(), data, config)
    write_dataset(index, out, to)
    crowd = sum(int(s.crowd.sum()) for v in index.splits.values() for s in v)
    if crowd and to == "yolo":
        session.warn(f"{crowd} crowd regions left out: YOLO labels cannot say them")
    written = read_dataset(out)
    session.data = {"directory": str(out), "from": index.format, **describe(written)}
    images = sum(len(v) for v in written.splits.values())
    session.say(f"{out}: {images} images from {index.format} to {written.format}")
