"""Open Images: ``annotations/<subset>-annotations-bbox.csv``, shares of the image.

Format: https://storage.googleapis.com/openimages/web/download_v7.html. ``class-descriptions*.csv`` gives the
names of the classes; boxes of a group (``IsGroupOf``) are neither target nor background.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from edgectl.data.formats.reading.assemble import FIX, StatedImage, assemble, to_number
from edgectl.data.formats.reading.finder import ImageFinder
from edgectl.data.formats.reading.splits import split_of_stem
from edgectl.data.formats.reading.walking import files_in, folder_called
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError

_COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
_ENDS = ("-annotations-bbox.csv", "-annotations-bbox-target.csv")


def _files_of(root: Path) -> list[Path]:
    for place in (folder_called(root, "annotations", "labels"), root):
        found = [] if place is None else files_in(place, ".csv")
        found = [f for f in found if f.name.endswith(_ENDS)]
        if found:
            return found
    return []


def is_openimages(root: Path) -> bool:
    """Looks at names only."""
    return root.is_dir() and bool(_files_of(root))


def read_openimages(root: Path) -> DatasetIndex:
    """Raises DataError: missing columns, numbers that are none, absent images."""
    files = _files_of(root)
    names = _descriptions(files[0].parent)
    images = folder_called(root, "images") or root
    finder = ImageFinder(root)
    stated: list[StatedImage] = []
    for file in files:
        word = file.name.split("-annotations-bbox")[0]
        split = split_of_stem(word) or word
        folders = [p for p in (images / word, root / word, images) if p.is_dir()]
        own: dict[str, StatedImage] = {}

        def image_of(
            number: str,
            own: dict[str, StatedImage] = own,
            split: str = split,
            file: Path = file,
            folders: list[Path] = folders,
        ) -> StatedImage:
            if number not in own:
                own[number] = StatedImage(number, split, file, folders, relative=True)
                own[number].path = finder.image_of_stem(number, folders)
            return own[number]

        for listed in files_in(file.parent, ".csv"):
            if listed.name.startswith(f"{word}-images"):
                for row in _rows(listed, ("ImageID",)):
                    image_of(row["ImageID"])
        for row in _rows(file, _COLUMNS):
            where = str(file)
            x0, x1, y0, y1 = (to_number(row[c], c, where) for c in _COLUMNS[2:])
            name = names.get(row["LabelName"], row["LabelName"])
            image_of(row["ImageID"]).add((x0, y0, x1, y1), name, row.get("IsGroupOf") == "1")
        stated += own.values()
    used = {n for i in stated for n in i.names}
    order = [n for n in dict.fromkeys(names.values()) if n in used] + sorted(
        used - set(names.values())
    )
    return assemble(root, "openimages", stated, classes=order, finder=finder)


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as f:
            reader = csv.DictReader(f, strict=True)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"no column {', '.join(missing)}", where=str(file), fix=FIX)
            for row in reader:
                if None in row or None in row.values():
                    raise csv.Error(f"line {reader.line_num} has other fields")
                yield {k: v.strip() for k, v in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise DataError(f"not CSV: {e}", where=str(file), fix=FIX) from e


def _descriptions(folder: Path) -> dict[str, str]:
    """Code of a class -> its name; the file has no header in older releases."""
    names: dict[str, str] = {}
    for file in files_in(folder, ".csv"):
        if file.name.startswith("class-descriptions"):
            try:
                with file.open(encoding="utf-8-sig", newline="") as f:
                    rows = [r for r in csv.reader(f) if len(r) >= 2]
            except (OSError, UnicodeDecodeError, csv.Error) as e:
                raise DataError(f"not CSV: {e}", where=str(file), fix=FIX) from e
            names.update({r[0].strip(): r[1].strip() for r in rows if r[0] != "LabelName"})
    return names
