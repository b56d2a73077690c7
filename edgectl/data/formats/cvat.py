"""CVAT's own XML, ``annotations.xml``: "CVAT for images" and "CVAT for video" 1.1.

Format: https://docs.cvat.ai/docs/manual/advanced/xml_format/. Of polygons, ellipses and masks the box around
them is taken; points and lines are no objects with an extent. Rotated boxes become the upright box around
them.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element

from edgectl.data.formats.reading.assemble import FIX, StatedImage, assemble, to_number
from edgectl.data.formats.reading.splits import is_split, split_name
from edgectl.data.formats.reading.walking import files_in, folder_called
from edgectl.data.formats.reading.xml_files import parse_xml
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError

Box = tuple[float, float, float, float]
_NO_EXTENT = frozenset({"points", "polyline", "cuboid", "skeleton"})


def _file_of(path: Path) -> Path | None:
    files = [path] if path.is_file() else files_in(path, ".xml")[:4]
    return next((f for f in files if f.suffix.lower() == ".xml" and _is_cvat(f)), None)


def _is_cvat(file: Path) -> bool:
    with file.open("rb") as f:
        return b"<annotations" in f.read(4096)


def is_cvat(path: Path) -> bool:
    """Looks at the beginning of one file."""
    return (path.is_dir() or path.is_file()) and _file_of(path) is not None


def read_cvat(path: Path) -> DatasetIndex:
    """Classes are the task's labels, in its order. An image's ``subset`` is its split.

    Raises:
        DataError: XML that is none, numbers that are none, absent images; a video without frames.
    """
    file = _file_of(path)
    assert file is not None
    root = file.parent
    document = parse_xml(file)
    images = folder_called(root, "images")
    folders = [*([] if images is None else [images]), root]
    repairs: list[Repair] = []
    if document.find("track") is not None:
        stated = _frames(document, file, folders, repairs)
    else:
        stated = [_image(e, file, folders, repairs) for e in document.iter("image")]
    names = [n.text.strip() for n in document.findall(".//labels/label/name") if n.text]
    used = sorted({n for i in stated for n in i.names} - set(names))
    classes = list(dict.fromkeys([*names, *used]))
    return assemble(root, "cvat", stated, classes=classes, repairs=repairs)


def _image(element: Element, file: Path, folders: list[Path], repairs: list[Repair]) -> StatedImage:
    where, subset = str(file), element.get("subset") or "train"
    split = split_name(subset) if is_split(subset) else subset
    size = None
    if element.get("width") and element.get("height"):
        size = (
            int(to_number(element.get("width"), "width", where)),
            int(to_number(element.get("height"), "height", where)),
        )
    inner = [p / subset for p in folders if (p / subset).is_dir()]
    image = StatedImage(element.get("name", ""), split, file, [*inner, *folders], size)
    for shape in element:
        _add(image, shape, shape.get("label", ""), repairs)
    return image


def _add(image: StatedImage, shape: Element, label: str, repairs: list[Repair]) -> None:
    if shape.tag == "tag":
        return
    box = _box(shape, str(image.file))
    if box is not None:
        image.add(box, label)
        return
    detail = f"a {shape.tag} is no box: left out"
    repairs.append(Repair("not_a_box", image.name, detail, 1, 1, image.split, label))


def _box(shape: Element, where: str) -> Box | None:
    def number(key: str) -> float:
        return to_number(shape.get(key), f"{shape.tag} {key}", where)

    if shape.tag == "box":
        box = number("xtl"), number("ytl"), number("xbr"), number("ybr")
        angle = math.radians(to_number(shape.get("rotation") or 0, "rotation", where))
        return _upright(box, angle) if angle else box
    if shape.tag == "polygon":
        pairs = [p.split(",") for p in (shape.get("points") or "").split(";")]
        if len(pairs) < 3 or any(len(p) != 2 for p in pairs):
            raise DataError("a polygon without points", where=where, fix=FIX)
        xs, ys = ([to_number(p[i], "points", where) for p in pairs] for i in (0, 1))
        return min(xs), min(ys), max(xs), max(ys)
    if shape.tag == "ellipse":
        x, y, rx, ry = number("cx"), number("cy"), number("rx"), number("ry")
        return x - rx, y - ry, x + rx, y + ry
    if shape.tag == "mask":
        left, top = number("left"), number("top")
        return left, top, left + number("width"), top + number("height")
    if shape.tag in _NO_EXTENT:
        return None
    raise DataError(f"a shape nobody knows: {shape.tag[:40]}", where=where, fix=FIX)


def _upright(box: Box, angle: float) -> Box:
    """Around a box turned about its middle."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    w, h = abs(box[2] - box[0]) / 2, abs(box[3] - box[1]) / 2
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    rx, ry = w * cos + h * sin, w * sin + h * cos
    return x - rx, y - ry, x + rx, y + ry


def _frames(
    document: Element, file: Path, folders: list[Path], repairs: list[Repair]
) -> list[StatedImage]:
    """Read the frames of a video: a track has a shape for each frame, named as CVAT's exports name the
    images."""
    found: dict[int, StatedImage] = {}
    where = str(file)
    for track in document.findall("track"):
        for shape in track:
            number = int(to_number(shape.get("frame"), "frame", where))
            if number not in found:
                name = f"frame_{number:06d}"
                found[number] = StatedImage(name, "train", file, folders)
                found[number].path = _frame(name, folders)
            if shape.get("outside") != "1":
                _add(found[number], shape, track.get("label", ""), repairs)
    return [found[n] for n in sorted(found)]


def _frame(name: str, folders: list[Path]) -> Path | None:
    names = (f / f"{name}{s}" for f in folders for s in (".PNG", ".png", ".jpg", ".jpeg"))
    return next((p for p in names if p.is_file()), None)
