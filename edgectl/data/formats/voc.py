"""Pascal VOC: ``Annotations/*.xml``, ``JPEGImages/``, split lists in ``ImageSets/Main``.

Format: Everingham et al., http://host.robots.ox.ac.uk/pascal/VOC/. Corners are taken as they stand:
the tools of today count pixels from 0, whatever the original development kit did. Objects marked
``difficult`` are neither target nor background. A ``classes.txt`` in the directory gives classes an order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement, indent

from edgectl.data.formats.boxes import BoxCollector, require_size
from edgectl.data.formats.classes_file import read_classes, write_classes
from edgectl.data.formats.coco import split_name
from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.formats.naming import image_at
from edgectl.data.formats.tolerance import refuse
from edgectl.data.index import IMAGE_SUFFIXES, DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

_FIX = "correct the file, or export the annotations again"
_UNIONS = frozenset({"trainval"})
"""Lists that repeat what other lists hold."""


def is_voc(root: Path) -> bool:
    """Looks at names only."""
    return root.is_dir() and next(root.glob("Annotations/*.xml"), None) is not None


def read_voc(root: Path) -> DatasetIndex:
    """Classes as :func:`read_classes` has them; without split lists everything is *train*.

    Raises:
        DataError: XML that is none, boxes that are not numbers, absent images, lists of images
            without annotation.
    """
    repairs: list[Repair] = []
    documents = {p.stem: _parse(p) for p in sorted(root.glob("Annotations/*.xml"))}
    names = {_text(o, "name", "") for d in documents.values() for o in d.iter("object")}
    classes = read_classes(root, names - {""})
    if not classes:
        raise DataError("no objects in any annotation", where=str(root), fix=_FIX)
    images = {
        p.stem: p for p in sorted(root.glob("JPEGImages/*")) if p.suffix.lower() in IMAGE_SUFFIXES
    }
    splits = {}
    for name, stems in _split_lists(root, documents.keys()).items():
        made = [_try(root, stem, documents, images, classes, repairs) for stem in stems]
        splits[name] = tuple(s for s in made if s is not None)
    return DatasetIndex(root.resolve().name, root, "voc", classes, splits, repairs)


def _split_lists(root: Path, everything: Collection[str]) -> dict[str, list[str]]:
    lists = {
        split_name(p.stem): [_stem(line, everything) for line in _lines(p) if line.split()]
        for p in sorted(root.glob("ImageSets/Main/*.txt"))
        # VOC's own per-class lists are called <class>_<split>
        if "_" not in p.stem and p.stem not in _UNIONS
    }
    return {k: v for k, v in lists.items() if v} or {"train": list(everything)}


def _stem(line: str, known: Collection[str]) -> str:
    """A name may hold spaces; what follows one is otherwise a flag."""
    return line if line in known else line.split()[0]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"cannot be read: {e}", where=str(path), fix=_FIX) from e


def _parse(path: Path) -> ElementTree.Element:
    try:
        data = path.read_bytes()
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise DataError("annotations do not declare entities", where=str(path), fix=_FIX)
        return ElementTree.fromstring(data)  # noqa: S314 - entities are refused above
    except (OSError, ElementTree.ParseError, ValueError) as e:
        raise DataError(f"not XML: {e}", where=str(path), fix=_FIX) from e


def _try(
    root: Path,
    stem: str,
    documents: dict[str, ElementTree.Element],
    images: dict[str, Path],
    classes: Sequence[str],
    repairs: list[Repair],
) -> Sample | None:
    try:
        return _sample(root, stem, documents, images, classes, repairs)
    except DataError as e:
        refuse(e, repairs, "broken_annotation", f"{stem}.xml")
        return None


def _sample(
    root: Path,
    stem: str,
    documents: dict[str, ElementTree.Element],
    images: dict[str, Path],
    classes: Sequence[str],
    repairs: list[Repair],
) -> Sample:
    where = str(root / "Annotations" / f"{stem}.xml")
    document = documents.get(stem)
    if document is None:
        raise DataError(
            f"'{stem}' is listed in ImageSets and has no annotation", where=where, fix=_FIX
        )
    image = _image(root, stem, Path(_text(document, "filename", "")).name, images, where)
    width, height = (int(_number(document, f"size/{side}", where)) for side in ("width", "height"))
    require_size((width, height), image.name, where, _FIX)
    collector = BoxCollector((width, height), image.name, repairs)
    for item in document.iter("object"):
        name = _text(item, "name", "")
        if not name:
            raise DataError("an object without name", where=where, fix=_FIX)
        x0, y0, x1, y1 = (
            _number(item, f"bndbox/{side}", where) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        difficult = _text(item, "difficult", "0") == "1"
        collector.add((x0, y0, x1, y1), classes.index(name), crowd=difficult)
    boxes, labels, crowd, _ = collector.arrays()
    return Sample(image, width, height, boxes, labels, crowd)


def _image(root: Path, stem: str, file: str, images: dict[str, Path], where: str) -> Path:
    """Of an annotation's own stem, as the development kit has it: tools that rename or multiply
    images leave old names in ``<filename>``, which may meanwhile be another image's."""
    if stem in images and Path(file).stem != stem:
        return images[stem]
    folder = root / "JPEGImages"
    image = image_at(file, [folder], root, where) or images.get(stem)
    if image is None:
        raise DataError(
            f"the image '{file or stem}' is absent", where=where, fix=f"put it into {folder}"
        )
    return image


def _text(element: ElementTree.Element, path: str, default: str) -> str:
    return (element.findtext(path) or default).strip()


def _number(element: ElementTree.Element, path: str, where: str) -> float:
    text = _text(element, path, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{path} is not a number: '{text}'", where=where, fix=_FIX)
    return value


def write_voc(index: DatasetIndex, directory: Path, copies: ImageCopies) -> None:
    """``Annotations``, ``JPEGImages``, ``ImageSets/Main``. Corners are written exactly."""
    annotations, lists = directory / "Annotations", directory / "ImageSets" / "Main"
    annotations.mkdir()
    lists.mkdir(parents=True)
    write_classes(index.classes, index.occurring(), directory)
    for split, samples in index.splits.items():
        stems = []
        for sample in samples:
            copy = copies.add(sample, directory / "JPEGImages")
            _write(sample, copy.name, index, annotations / f"{copy.stem}.xml")
            stems.append(copy.stem)
        name = "val" if split == "valid" else split
        (lists / f"{name}.txt").write_text("".join(f"{s}\n" for s in stems), encoding="utf-8")


def _write(sample: Sample, image: str, index: DatasetIndex, file: Path) -> None:
    root = Element("annotation")
    SubElement(root, "folder").text = "JPEGImages"
    SubElement(root, "filename").text = image
    size = SubElement(root, "size")
    for name, value in (("width", sample.width), ("height", sample.height), ("depth", 3)):
        SubElement(size, name).text = str(value)
    for box, label, crowd in zip(sample.boxes_xyxy, sample.labels, sample.crowd, strict=True):
        item = SubElement(root, "object")
        SubElement(item, "name").text = index.classes[label]
        SubElement(item, "difficult").text = str(int(crowd))
        corners = SubElement(item, "bndbox")
        for name, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
            SubElement(corners, name).text = str(value).removesuffix(".0")
    indent(root)
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
