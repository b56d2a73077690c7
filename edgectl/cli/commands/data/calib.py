"""``edgectl data calib``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session
from edgectl.errors import DataError, UsageError

EPILOG = """Examples:

edgectl data calib coco_mask --count 100 --out calib

edgectl data calib coco_mask --out calib --to npy --imgsz 192"""

_FORMS = ("list", "npy", "bin", "zip")


def calib(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    out: Path = typer.Option(..., help="A new directory."),
    count: int = typer.Option(128, min=1),
    seed: int = typer.Option(0, min=0),
    to: str = typer.Option("list", "--to", help="list, npy, bin or zip."),
    imgsz: str = typer.Option("192", help="Of npy and bin: images are letterboxed to it."),
) -> None:
    """The calibration images of *train*: by name and hash, or in the forms vendor tools take."""
    session: Session = ctx.obj
    session.command = "data calib"
    if to not in _FORMS:
        raise UsageError(f"no form '{to}'", where="--to", fix="one of " + ", ".join(_FORMS))

    from edgectl.data.select.calibration import calibration_list, write_calibration
    from edgectl.spec import PreprocessSpec
    from edgectl.workflows.opening.configuration import parse_size, resolve_config
    from edgectl.workflows.opening.datasets import open_data

    index = open_data(session.open_context(), data, resolve_config({}, {}, []))
    if "train" not in index.splits:
        raise DataError(
            "no split 'train': scored images are never calibrated on",
            where=str(index.root),
            fix="edgectl data split makes one",
        )
    chosen = calibration_list(index.splits["train"], count, seed)
    if len(chosen.files) < count:
        session.warn(f"train has {len(chosen.files)} images, not {count}")
    files = write_calibration(chosen, out, to, PreprocessSpec(parse_size(imgsz)))
    session.data = {"directory": str(out), "files": files, **chosen.to_dict()}
    session.say(f"{out}: {len(chosen.files)} images of train, sha256 {chosen.sha256[:12]}")
