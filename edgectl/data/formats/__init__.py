"""Label formats: how each is recognized and read. A new one is a new entry of :data:`FORMATS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgectl.data.formats import coco, folder, pack, table, voc, yolo
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, UnknownNameError


@dataclass(frozen=True)
class Format:
    """``detect`` looks at names only; ``read`` raises DataError for anything wrong inside."""

    name: str
    summary: str
    detect: Callable[[Path], bool]
    read: Callable[[Path], DatasetIndex]


def _read_roboflow(root: Path) -> DatasetIndex:
    return coco.read_splits(root, "coco-roboflow", coco.roboflow_splits(root))


def _read_coco2017(root: Path) -> DatasetIndex:
    return coco.read_splits(root, "coco-2017", coco.coco2017_splits(root))


def _read_coco_file(path: Path) -> DatasetIndex:
    split, images = coco.place_of(path)
    return coco.read_splits(path.parent, "coco-file", {split: (path, images)})


FORMATS: tuple[Format, ...] = (
    Format("lmdb", "a pack, NAME.lmdb", pack.is_pack, pack.read_pack),
    Format(
        "coco-roboflow",
        "<split>/_annotations.coco.json beside the images",
        lambda p: p.is_dir() and bool(coco.roboflow_splits(p)),
        _read_roboflow,
    ),
    Format(
        "coco-2017",
        "annotations/instances_<split>2017.json and <split>2017/",
        lambda p: p.is_dir() and bool(coco.coco2017_splits(p)),
        _read_coco2017,
    ),
    Format(
        "coco-file",
        "one COCO annotation file, images beside it",
        lambda p: p.is_file() and p.suffix == ".json",
        _read_coco_file,
    ),
    # last: folders of images are what remains when nothing says what is in them
    Format(
        "voc",
        "Annotations/*.xml, JPEGImages/ and ImageSets/Main/<split>.txt",
        voc.is_voc,
        voc.read_voc,
    ),
    Format(
        "yolo",
        "data.yaml, images/ and labels/*.txt",
        lambda p: yolo.description_of(p) is not None,
        yolo.read_yolo,
    ),
    Format(
        "csv",
        "annotations.csv with a line a box",
        lambda p: bool(table.tables_of(p)),
        table.read_csv,
    ),
    Format(
        "folder",
        "<class>/ or <split>/<class>/ with images",
        lambda p: p.is_dir() and bool(folder.split_folders(p)),
        folder.read_folder,
    ),
)


def looks_like_dataset(path: Path) -> bool:
    """Whether some format recognizes the path."""
    return any(f.detect(path) for f in FORMATS)


def read_dataset(path: Path, fmt: str = "auto") -> DatasetIndex:
    """Reads a directory or annotation file, its format detected or named.

    Raises:
        DataError: nothing there, no format recognizes it, or what the reader finds.
        UnknownNameError: a format nobody reads.
    """
    if not path.exists():
        raise DataError(
            "no such file or directory",
            where=str(path),
            fix="check the path; 'edgectl data list' shows the named sets",
        )
    if fmt != "auto":
        named = [f for f in FORMATS if f.name == fmt]
        if not named:
            raise UnknownNameError("data format", fmt, [f.name for f in FORMATS])
        if not named[0].detect(path):
            raise DataError(f"not {fmt}: {named[0].summary} expected", where=str(path))
        return named[0].read(path)
    for candidate in FORMATS:
        if candidate.detect(path):
            return candidate.read(path)
    raise DataError(
        "no labels found in a format edgectl reads",
        where=str(path),
        fix="expected one of: " + "; ".join(f"{f.name}: {f.summary}" for f in FORMATS),
    )
