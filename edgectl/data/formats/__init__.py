"""Label formats: how each is recognized and read. A new built-in one is a new entry of :data:`FORMATS`, and
its name a line of :mod:`edgectl.plugins.builtin`; plugins register theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgectl.data.formats import (
    coco,
    cvat,
    datumaro,
    edge_impulse,
    folder,
    kitti,
    label_studio,
    labelme,
    openimages,
    pack,
    table,
    voc,
    yolo,
)
from edgectl.data.formats.foreign import foreign_format
from edgectl.data.formats.reading.json_files import damaged_json, read_once
from edgectl.data.formats.reading.losses import require_kept, require_one_labelling
from edgectl.data.formats.reading.options import PLAIN, ReadOptions, read_with
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, UnknownNameError
from edgectl.plugins.registry import installed, load_named
from edgectl.spec import require_name


@dataclass(frozen=True)
class Format:
    """``detect`` looks at names, and into a file where names do not tell; ``read`` raises DataError
    for anything wrong inside."""

    name: str
    summary: str
    detect: Callable[[Path], bool]
    read: Callable[[Path], DatasetIndex]


def _coco(name: str, summary: str) -> Format:
    return Format(name, summary, lambda p: coco.is_layout(p, name), coco.read_coco)


FORMATS: tuple[Format, ...] = (
    Format("lmdb", "a pack, NAME.lmdb", pack.is_pack, pack.read_pack),
    _coco("coco-roboflow", "<split>/_annotations.coco.json beside the images"),
    _coco("coco-2017", "annotations/instances_<split>2017.json and <split>2017/"),
    _coco("coco", "COCO annotation files in annotations/ or beside the images"),
    _coco("coco-file", "one COCO annotation file, images beside it"),
    Format(
        "datumaro",
        "annotations/<subset>.json of Datumaro",
        datumaro.is_datumaro,
        datumaro.read_datumaro,
    ),
    Format("cvat", "annotations.xml of CVAT and images/", cvat.is_cvat, cvat.read_cvat),
    Format(
        "edge-impulse",
        "bounding_boxes.labels",
        edge_impulse.is_edge_impulse,
        edge_impulse.read_edge_impulse,
    ),
    Format("voc", "Annotations/*.xml, or XML files beside the images", voc.is_voc, voc.read_voc),
    Format("kitti", "label_2/*.txt and image_2/", kitti.is_kitti, kitti.read_kitti),
    Format(
        "yolo",
        "data.yaml, obj.data or classes.txt, and label files *.txt",
        yolo.is_yolo,
        yolo.read_yolo,
    ),
    Format("labelme", "a JSON file beside each image", labelme.is_labelme, labelme.read_labelme),
    Format(
        "label-studio",
        "the JSON export of Label Studio",
        label_studio.is_label_studio,
        label_studio.read_label_studio,
    ),
    Format(
        "openimages",
        "annotations/<split>-annotations-bbox.csv",
        openimages.is_openimages,
        openimages.read_openimages,
    ),
    Format(
        "csv", "a CSV file with a line a box", lambda p: bool(table.tables_of(p)), table.read_csv
    ),
    # last: folders of images are what remains when nothing says what is in them
    Format(
        "folder",
        "<class>/ or <split>/<class>/ with images",
        folder.is_folder,
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
    with read_once():
        return any(f.detect(path) for f in known_formats())


def read_dataset(path: Path, fmt: str = "auto", options: ReadOptions = PLAIN) -> DatasetIndex:
    """Reads a directory or annotation file, its format detected or named.

    Raises:
        DataError: nothing there, no format recognizes it, what the reader finds, or more labels left
            out than :mod:`edgectl.data.formats.reading.losses` allows.
        UnknownNameError: a format nobody reads.
    """
    if not path.exists():
        raise DataError(
            "no such file or directory",
            where=str(path),
            fix="check the path; 'edgectl data list' shows the named sets",
        )
    if options.images is not None and not options.images.is_dir():
        raise DataError(
            "no such directory", where=f"data.images = {options.images}", fix="check the path"
        )
    with read_once(), read_with(options):
        index = _format_of(path, fmt).read(path)
        require_one_labelling(index)
        require_kept(index)
    _require_names(index)
    return index


def _require_names(index: DatasetIndex) -> None:
    """Raises DataError for a class name that does not stand in one line: labels.txt is read line by line."""
    for name in index.classes:
        try:
            require_name(name)
        except ValueError as e:
            shown = ascii(name)[1:-1][:80]
            raise DataError(
                f"the class '{shown}': {e}",
                where=str(index.root),
                fix="rename it in the label files",
            ) from e


def _format_of(path: Path, fmt: str) -> Format:
    if fmt != "auto":
        named = next((f for f in known_formats() if f.name == fmt), None)
        if named is None:
            names = [i.name for i in installed().formats.infos() if i.reader]
            raise UnknownNameError("data format", fmt, names)
        if not named.detect(path):
            raise DataError(f"not {fmt}: {named.summary} expected", where=str(path))
        return named
    for candidate in known_formats():
        if candidate.detect(path):
            return candidate
    raise _unknown(path)


def _unknown(path: Path) -> DataError:
    known = foreign_format(path) or damaged_json(path)
    if known is not None:
        return known
    beside = folder.labels_beside(path) if path.is_dir() else None
    inner = folder.inner_set(path) if path.is_dir() else None
    shown = "" if beside is None else f"; {beside.relative_to(path)} lies beside its image, unread"
    shown = shown if inner is None else f"; there is one in {inner.name}: name that directory"
    return DataError(
        f"no labels found in a format edgectl reads{shown}",
        where=str(path),
        fix="expected one of: " + "; ".join(f"{f.name}: {f.summary}" for f in known_formats()),
    )
