"""labelme: one JSON file an image, beside it.

Format: https://github.com/wkentaro/labelme. A shape has a label, a type and points in pixels. Rectangles are
boxes; of polygons, circles and masks the box around them is taken. Points and lines are no objects with
an extent, and are noted.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from edgectl.data.formats.reading.assemble import FIX, StatedImage, assemble, to_number
from edgectl.data.formats.reading.json_files import load_json, look_into
from edgectl.data.formats.reading.splits import is_split, split_name
from edgectl.data.formats.reading.walking import files_below, files_in, folder_called, folders_in
from edgectl.data.formats.tolerance import refuse
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError

_NO_EXTENT = frozenset({"point", "points", "line", "linestrip"})
_TRIED = 3


def is_labelme(root: Path) -> bool:
    """Looks into a few JSON files."""
    if not root.is_dir():
        return False
    for folder in (root, *folders_in(root)):
        if any(_is_document(look_into(f)) for f in files_in(folder, ".json")[:_TRIED]):
            return True
    return False


def _is_document(document: Any) -> bool:
    return isinstance(document, dict) and {"shapes", "imagePath"} <= document.keys()


def read_labelme(root: Path) -> DatasetIndex:
    """Folders called after splits are these; without them everything is *train*.

    Raises:
        DataError: JSON that is none, points that are not numbers, absent images.
    """
    repairs: list[Repair] = []
    stated = []
    for file in files_below(root):
        if file.suffix.lower() != ".json":
            continue
        try:
            document = load_json(file)
            if _is_document(document):
                stated.append(_stated(document, file, root, repairs))
            elif any(file.with_suffix(s).is_file() for s in (".jpg", ".jpeg", ".png", ".bmp")):
                raise DataError("beside an image, and not of labelme", where=str(file), fix=FIX)
        except DataError as e:
            refuse(e, repairs, "broken_annotation", file.name, lost=1)
    return assemble(root, "labelme", stated, repairs=repairs)


def _stated(document: dict[str, Any], file: Path, root: Path, repairs: list[Repair]) -> StatedImage:
    words = [p for p in file.relative_to(root).parts[:-1] if is_split(p)]
    split = split_name(words[0]) if words else "train"
    images = folder_called(root, "images", "jpegimages")
    folders = [file.parent, *([] if images is None else [images])]
    name = str(document["imagePath"]).replace("\\", "/")
    size = _size(document, file)
    image = StatedImage(name, split, file, folders, size)
    # the image beside the file is its own, whatever stale path it names
    beside = file.parent / Path(name).name
    if beside.is_file() and beside.stem == file.stem:
        image.path = beside
    shapes = document["shapes"]
    if not isinstance(shapes, list) or not all(isinstance(s, dict) for s in shapes):
        raise DataError("no list 'shapes'", where=str(file), fix=FIX)
    for shape in shapes:
        label = str(shape.get("label") or "")
        if shape.get("shape_type") in _NO_EXTENT:
            detail = f"a {shape['shape_type']} is no box: left out"
            repairs.append(Repair("not_a_box", file.name, detail, 1, 1, split, label))
            continue
        image.add(_box(shape, file), label)
    return image


def _size(document: dict[str, Any], file: Path) -> tuple[int, int] | None:
    width, height = document.get("imageWidth"), document.get("imageHeight")
    if not width or not height:
        return None
    where = str(file)
    return int(to_number(width, "imageWidth", where)), int(to_number(height, "imageHeight", where))


def _box(shape: dict[str, Any], file: Path) -> tuple[float, float, float, float]:
    points = shape.get("points")
    if not isinstance(points, list) or not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise DataError(f"not points: {str(points)[:60]}", where=str(file), fix=FIX)
    xs = [to_number(p[0], "a point", str(file)) for p in points]
    ys = [to_number(p[1], "a point", str(file)) for p in points]
    if shape.get("shape_type") == "circle" and len(points) == 2:
        r = math.dist(points[0], points[1])
        return xs[0] - r, ys[0] - r, xs[0] + r, ys[0] + r
    if len(points) < 2:
        raise DataError(
            f"not points around an object: {str(points)[:60]}", where=str(file), fix=FIX
        )
    return min(xs), min(ys), max(xs), max(ys)
