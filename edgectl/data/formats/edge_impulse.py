"""Edge Impulse: ``bounding_boxes.labels`` beside the images of ``training`` and ``testing``.

Format: https://docs.edgeimpulse.com/tools/specifications/data-acquisition/uploader-labels. Boxes are x, y,
width and height in pixels; images it does not name have no objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgectl.data.formats.reading.assemble import FIX, StatedImage, assemble, to_number
from edgectl.data.formats.reading.json_files import load_json
from edgectl.data.formats.reading.splits import is_split, split_name
from edgectl.data.formats.reading.walking import files_in, folders_in
from edgectl.data.index import IMAGE_SUFFIXES, DatasetIndex
from edgectl.errors import DataError

FILE = "bounding_boxes.labels"


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.name == FILE else []
    return [f / FILE for f in (path, *folders_in(path)) if (f / FILE).is_file()]


def is_edge_impulse(path: Path) -> bool:
    """Looks at names only."""
    return bool(_files_of(path))


def read_edge_impulse(path: Path) -> DatasetIndex:
    """Raises DataError: JSON that is none, boxes that are not numbers, absent images."""
    root = path if path.is_dir() else path.parent
    stated: list[StatedImage] = []
    for file in _files_of(path):
        folder = file.parent
        split = split_name(folder.name) if is_split(folder.name) else "train"
        named = _images(load_json(file), file, split)
        stated += named
        # only those beside a file that lists others
        known = {i.name for i in named}
        rest = [p for p in files_in(folder) if p.suffix.lower() in IMAGE_SUFFIXES]
        stated += [
            StatedImage(p.name, split, file, (folder,), path=p) for p in rest if p.name not in known
        ]
    return assemble(root, "edge-impulse", stated)


def _images(document: Any, file: Path, split: str) -> list[StatedImage]:
    boxes = document.get("boundingBoxes") if isinstance(document, dict) else None
    if not isinstance(boxes, dict):
        raise DataError("no 'boundingBoxes'", where=str(file), fix=FIX)
    stated = []
    for name, own in boxes.items():
        image = StatedImage(name, split, file, (file.parent,), ordered=True)
        if not isinstance(own, list) or not all(isinstance(b, dict) for b in own):
            raise DataError(f"'{name[:80]}' has no list of boxes", where=str(file), fix=FIX)
        for box in own:
            x, y, w, h = (
                to_number(box.get(k), k, str(file)) for k in ("x", "y", "width", "height")
            )
            image.add((x, y, x + w, y + h), str(box.get("label") or ""))
        stated.append(image)
    return stated
