"""Writes the calibration images of *train*, in the forms vendors' tools take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.data.select.calibration import CalibrationSet, calibration_list, write_calibration
from edgectl.errors import DataError, UsageError
from edgectl.spec import PreprocessSpec
from edgectl.workflows.arguments import PathLike, Settings, SizeLike, read_size
from edgectl.workflows.console import Console
from edgectl.workflows.data.configuration import resolve_data_config
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_data
from edgectl.workflows.opening.preprocess import override_preprocess

_FORMS = ("list", "npy", "bin", "zip")


@dataclass(frozen=True)
class WrittenCalibration:
    """The images chosen, and the files written of them."""

    directory: Path
    files: list[str]
    chosen: CalibrationSet

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data calib --json``."""
        return {"directory": str(self.directory), "files": self.files, **self.chosen.to_dict()}


def write_calibration_images(
    data: PathLike,
    *,
    out: PathLike,
    count: int = 128,
    seed: int = 0,
    to: str = "list",
    imgsz: SizeLike = 192,
    images: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
) -> WrittenCalibration:
    """``edgectl data calib``: each argument is its option.

    Args:
        data: a catalog name, a directory or an annotation file.
        out: a new directory.
        to: ``list``, ``npy``, ``bin`` or ``zip``. imgsz: of npy and bin; ``preprocess.*`` of ``set`` says
            the rest: ``channel_order`` gray, for example.

    Raises:
        UsageError: another form.
        DataError: no split *train*.
    """
    if to not in _FORMS:
        raise UsageError(f"no form '{to}'", where="--to", fix="one of " + ", ".join(_FORMS))
    context = open_context(console, offline)
    config = resolve_data_config(set, images)
    spec = PreprocessSpec(read_size(imgsz))
    spec = override_preprocess(spec, config.preprocess, whose="an array of pixels")
    index = open_data(context, str(data), config)
    if "train" not in index.splits:
        raise DataError(
            "no split 'train': scored images are never calibrated on",
            where=str(index.root),
            fix="edgectl data split makes one",
        )
    chosen = calibration_list(index.splits["train"], count, seed)
    if len(chosen.files) < count:
        context.console.warn(f"train has {len(chosen.files)} images, not {count}")
    files = write_calibration(chosen, Path(out), to, spec)
    return WrittenCalibration(Path(out), files, chosen)
