"""Label formats written. A new one is a new entry of :data:`WRITERS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgectl.data.index import DatasetIndex
from edgectl.data.staging import staged
from edgectl.data.writers import coco, folder, table, voc, yolo
from edgectl.errors import DataError, UnknownNameError


@dataclass(frozen=True)
class Writer:
    """``write`` fills an empty directory, pictures included."""

    name: str
    write: Callable[[DatasetIndex, Path], None]


WRITERS: tuple[Writer, ...] = (
    Writer("coco-2017", coco.write_coco2017),
    Writer("coco-roboflow", coco.write_roboflow),
    Writer("voc", voc.write_voc),
    Writer("yolo", yolo.write_yolo),
    Writer("csv", table.write_csv),
    Writer("folder", folder.write_folder),
)
ALIASES = {"coco": "coco-2017"}


def write_dataset(index: DatasetIndex, directory: Path, fmt: str) -> None:
    """Writes the set, labels and copies of the pictures; the directory appears when it is complete.

    Raises:
        UnknownNameError: a format nobody writes.
        DataError: ``directory`` is there already, or the format cannot hold this kind of label.
    """
    name = ALIASES.get(fmt, fmt)
    chosen = next((w for w in WRITERS if w.name == name), None)
    if chosen is None:
        raise UnknownNameError("data format", fmt, [*(w.name for w in WRITERS), *ALIASES])
    of_pictures = any(s.image_label is not None for v in index.splits.values() for s in v)
    if of_pictures != (name == "folder"):
        raise DataError(
            "labels of whole pictures go into folders, boxes into the other formats",
            where=f"--to {fmt}",
            fix="--to folder" if of_pictures else "--to coco, voc, yolo or csv",
        )
    with staged(directory) as place:
        chosen.write(index, place)
