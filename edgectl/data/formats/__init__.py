"""Label formats: how each is recognized and read. A new built-in one is a new entry of :data:`FORMATS`, and
its name a line of :mod:`edgectl.plugins.builtin`; plugins register theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgectl.data.formats import coco, folder, pack, table, voc, yolo
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, UnknownNameError
from edgectl.plugins.registry import installed, load_named


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


def known_formats() -> Iterator[Format]:
    """Those edgectl has, those of plugins, then the fallbacks. A plugin's code is imported in its turn.

    Raises PluginError where that fails.
    """
    offers = [o for o in installed().formats.offers if o.info.reader]
    own = {f.name for f in FORMATS}
    for offer in sorted(offers, key=lambda o: (o.info.fallback, o.info.name not in own)):
        found: Format = load_named(offer.info.reader, offer.info.name, offer.plugin.name)
        yield found


def looks_like_dataset(path: Path) -> bool:
    """Whether some format recognizes the path."""
    return any(f.detect(path) for f in known_formats())


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
        named = next((f for f in known_formats() if f.name == fmt), None)
        if named is None:
            names = [i.name for i in installed().formats.infos() if i.reader]
            raise UnknownNameError("data format", fmt, names)
        if not named.detect(path):
            raise DataError(f"not {fmt}: {named.summary} expected", where=str(path))
        return named.read(path)
    for candidate in known_formats():
        if candidate.detect(path):
            return candidate.read(path)
    raise DataError(
        "no labels found in a format edgectl reads",
        where=str(path),
        fix="expected one of: " + "; ".join(f"{f.name}: {f.summary}" for f in known_formats()),
    )
