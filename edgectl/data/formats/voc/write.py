"""Writes Pascal VOC: ``Annotations``, ``JPEGImages``, ``ImageSets/Main``."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement, indent

from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.formats.reading.classes_file import write_classes
from edgectl.data.index import DatasetIndex
from edgectl.labels import Sample


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
