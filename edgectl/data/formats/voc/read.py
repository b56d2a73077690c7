"""A VOC set becomes samples."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from xml.etree.ElementTree import Element

from edgectl.data.formats.reading.assemble import StatedImage, assemble, to_number
from edgectl.data.formats.reading.classes_file import read_classes
from edgectl.data.formats.reading.finder import ImageFinder
from edgectl.data.formats.reading.xml_files import FIX, parse_xml, text_of
from edgectl.data.formats.tolerance import refuse
from edgectl.data.formats.voc.layouts import Entry, find_layout
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError


def read_voc(root: Path) -> DatasetIndex:
    """Classes as :func:`read_classes` has them; without split lists everything is *train*.

    Raises:
        DataError: XML that is none, boxes that are not numbers, absent images.
    """
    repairs: list[Repair] = []
    layout = find_layout(root)
    finder = ImageFinder(root)
    stated = []
    for entry in layout.entries:
        try:
            stated.append(_stated(entry, finder, repairs))
        except DataError as e:
            refuse(e, repairs, "broken_annotation", f"{entry.stem}.xml", lost=1, split=entry.split)
    missing = [e for e in layout.entries if e.xml is None]
    if missing:
        detail = f"listed without an annotation, taken as empty: {missing[0].stem}" + (
            f" and {len(missing) - 1} more" if missing[1:] else ""
        )
        split = missing[0].split
        repairs.append(Repair("missing_label", missing[0].stem, detail, len(missing), split=split))
    if layout.unlisted:
        detail = f"{len(layout.unlisted)} annotations are in no list of ImageSets/Main"
        repairs.append(Repair("unlisted", layout.unlisted[0], detail, len(layout.unlisted)))
    classes = read_classes(root, {n for s in stated for n in s.names})
    return assemble(root, "voc", stated, classes=classes, repairs=repairs, finder=finder)


def _stated(entry: Entry, finder: ImageFinder, repairs: list[Repair]) -> StatedImage:
    if entry.xml is None:
        path = finder.image_of_stem(entry.stem, entry.folders[-1:])
        name = entry.stem
        if path is None:
            raise DataError(
                f"'{entry.stem}' is listed in ImageSets and has neither annotation nor image",
                where=str(entry.folders[-1]),
                fix="add the image, or take it off the list",
            )
        return StatedImage(path.name, entry.split, path, entry.folders, path=path)
    document = parse_xml(entry.xml)
    where = str(entry.xml)
    name, path = _image(entry, text_of(document, "filename"), finder)
    image = StatedImage(
        name, entry.split, entry.xml, entry.folders, _size(document, where), path=path
    )
    for item in document.iter("object"):
        _add_object(image, item, where, repairs)
    return image


def _add_object(image: StatedImage, item: Element, where: str, repairs: list[Repair]) -> None:
    box = item.find("bndbox")
    if box is None:
        points = item.find("polygon")
        around = None if points is None else _around(points, where)
        if around is None:
            error = DataError("an object without bndbox", where=where, fix=FIX)
            name = text_of(item, "name")
            refuse(error, repairs, "not_a_box", image.name, lost=1, split=image.split, name=name)
            return
        image.add(around, text_of(item, "name"), text_of(item, "difficult") == "1")
        return
    x0, y0, x1, y1 = (
        to_number(text_of(box, side), f"bndbox/{side}", where)
        for side in ("xmin", "ymin", "xmax", "ymax")
    )
    image.add((x0, y0, x1, y1), text_of(item, "name"), text_of(item, "difficult") == "1")


def _around(points: Element, where: str) -> tuple[float, float, float, float] | None:
    """The box around a polygon: ``x1 y1 x2 y2 ...`` as Roboflow has it."""
    xs = [to_number(p.text, p.tag, where) for p in points if p.tag.startswith("x")]
    ys = [to_number(p.text, p.tag, where) for p in points if p.tag.startswith("y")]
    if len(xs) < 3 or len(xs) != len(ys):
        return None
    return min(xs), min(ys), max(xs), max(ys)


def _size(document: Element, where: str) -> tuple[int, int] | None:
    """None, to be taken from the image, where the file has none or zeros: some tools know no size."""
    if document.find("size") is None:
        return None
    size = tuple(
        int(to_number(text_of(document, f"size/{s}"), s, where)) for s in ("width", "height")
    )
    return None if not any(size) else (size[0], size[1])


def _image(entry: Entry, stated: str, finder: ImageFinder) -> tuple[str, Path | None]:
    """(name, path). Of an annotation's own stem, as the development kit has it: tools that rename or
    multiply images leave old names in ``<filename>``, which may meanwhile be another image's."""
    file = PureWindowsPath(stated).name  # either slash
    own = finder.image_of_stem(entry.stem, entry.folders[-1:]) or finder.image_of_stem(
        Path(entry.stem).name, entry.folders[:1]
    )
    if own is not None and Path(file).stem != Path(entry.stem).name:
        return own.name, own
    name = file or Path(entry.stem).name
    if own is not None and own.name == name:
        return name, own
    found = finder.find(name, entry.folders, str(entry.xml))
    return name, found or own
