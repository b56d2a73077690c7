"""Datumaro's own JSON: ``annotations/<subset>.json`` and ``images/<subset>/``.

Format: https://open-edge-platform.github.io/datumaro/. Boxes are x, y, width and height in pixels; of
polygons the box around them is taken. The library itself is not used: it pins older versions of pillow and
opencv, and brings pyarrow for a file of a few keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgectl.data.formats.reading.assemble import FIX, StatedImage, assemble, to_number
from edgectl.data.formats.reading.finder import ImageFinder
from edgectl.data.formats.reading.json_files import load_json, look_into
from edgectl.data.formats.reading.splits import split_of_stem
from edgectl.data.formats.reading.walking import files_in, folder_called
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError

_FEW = 16


def is_datumaro(path: Path) -> bool:
    """Looks into the JSON files of ``annotations``."""
    return bool(_files_of(path))


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        found = [path] if path.suffix.lower() == ".json" else []
    else:
        place = folder_called(path, "annotations")
        found = [] if place is None else files_in(place, ".json")
    # one that is none among others that are is damaged: it is refused when it is read
    return found if any(_is_document(look_into(f)) for f in found[:_FEW]) else []


def _is_document(document: Any) -> bool:
    return isinstance(document, dict) and {"items", "categories"} <= document.keys()


def read_datumaro(path: Path) -> DatasetIndex:
    """Raises DataError: other categories in another subset, labels that are none, absent images."""
    files = _files_of(path)
    beside = files[0].parent.name.lower() == "annotations"
    root = files[0].parent.parent if beside else files[0].parent
    repairs: list[Repair] = []
    stated: list[StatedImage] = []
    finder = ImageFinder(root)
    classes: list[str] | None = None
    for file in files:
        document = load_json(file)
        if not _is_document(document):
            raise DataError("not Datumaro's: no 'items'", where=str(file), fix=FIX)
        own = _classes(document, file)
        if classes is not None and own != classes:
            raise DataError("other categories than in the first subset", where=str(file), fix=FIX)
        classes = own
        stated += _images(document, file, root, classes, finder, repairs)
    return assemble(root, "datumaro", stated, classes=classes or (), repairs=repairs, finder=finder)


def _classes(document: dict[str, Any], file: Path) -> list[str]:
    try:
        names = [str(row["name"]) for row in document["categories"]["label"]["labels"]]
    except (KeyError, TypeError) as e:
        raise DataError("no categories of labels", where=str(file), fix=FIX) from e
    if len(set(names)) < len(names):
        raise DataError("a category is there twice", where=str(file), fix=FIX)
    return names


def _images(
    document: dict[str, Any],
    file: Path,
    root: Path,
    classes: list[str],
    finder: ImageFinder,
    repairs: list[Repair],
) -> list[StatedImage]:
    split = split_of_stem(file.stem) or ("train" if file.stem == "result" else file.stem)
    images = folder_called(root, "images") or root
    folders = [p for p in (images / file.stem, images) if p.is_dir()] or [root]
    items = document["items"]
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise DataError("no list 'items'", where=str(file), fix=FIX)
    stated = []
    for item in items:
        media = item.get("image")
        media = media if isinstance(media, dict) else {}
        name = str(media.get("path") or item.get("id") or "")
        image = StatedImage(name, split, file, folders, _size(media, file), ordered=True)
        if not media.get("path"):
            image.path = finder.image_of_stem(name, folders)
        rows = item.get("annotations")
        if not isinstance(rows, list):
            raise DataError(f"'{name[:80]}' has no list 'annotations'", where=str(file), fix=FIX)
        for row in rows:
            _add(image, row, classes, repairs)
        stated.append(image)
    return stated


def _size(media: dict[str, Any], file: Path) -> tuple[int, int] | None:
    size = media.get("size")
    if not isinstance(size, list) or len(size) != 2:
        return None
    height, width = (int(to_number(v, "size", str(file))) for v in size)
    return width, height


def _add(image: StatedImage, row: Any, classes: list[str], repairs: list[Repair]) -> None:
    where = str(image.file)
    if not isinstance(row, dict):
        raise DataError(f"no annotation: {str(row)[:60]}", where=where, fix=FIX)
    kind, label = row.get("type"), row.get("label_id")
    if kind in ("label", "caption"):
        return
    if not isinstance(label, int) or not 0 <= label < len(classes):
        raise DataError(f"unknown label_id {str(label)[:20]}", where=where, fix=FIX)
    if kind == "bbox":
        x, y, w, h = (to_number(v, "bbox", where) for v in _numbers(row.get("bbox"), 4, where))
        image.add((x, y, x + w, y + h), classes[label])
    elif kind == "polygon":
        points = [to_number(v, "points", where) for v in _numbers(row.get("points"), 6, where)]
        xs, ys = points[0::2], points[1::2]
        image.add((min(xs), min(ys), max(xs), max(ys)), classes[label])
    else:
        detail = f"a {str(kind)[:20]} is no box: left out"
        repairs.append(Repair("not_a_box", image.name, detail, 1, 1, image.split, classes[label]))


def _numbers(values: Any, least: int, where: str) -> list[Any]:
    if isinstance(values, list) and (len(values) == 4 if least == 4 else len(values) >= least):
        return values
    raise DataError(f"not the numbers of a box: {str(values)[:60]}", where=where, fix=FIX)
