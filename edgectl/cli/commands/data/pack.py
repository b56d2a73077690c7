"""``edgectl data pack``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session
from edgectl.errors import UsageError

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
) -> None:
    """Put images and labels into one memory-mapped pack."""
    session: Session = ctx.obj
    session.command = "data pack"
    if to != "lmdb":
        raise UsageError(f"no pack of the kind '{to}'", where="--to", fix="--to lmdb")

    from dataclasses import replace

    from edgectl.data.formats.pack import write_pack
    from edgectl.workflows.opening.configuration import resolve_config
    from edgectl.workflows.opening.datasets import open_data

    index = open_data(session.open_context(), data, resolve_config({}, {}, []))
    absent = [n for n in split_name if n not in index.splits]
    if absent:
        raise UsageError(
            f"no split '{absent[0]}'",
            where="--split-name",
            fix="one of " + ", ".join(sorted(index.splits)),
        )
    if split_name:
        index = replace(index, splits={n: index.splits[n] for n in split_name})
    out = out or Path(f"{index.name}.lmdb")
    done = write_pack(index, out, workers=workers)
    session.data = {
        "pack": str(out),
        "images": done.images,
        "bytes": done.bytes,
        "splits": {n: len(v) for n, v in index.splits.items()},
    }
    session.say(f"{out}: {done.images} images, {done.bytes:,} bytes")
