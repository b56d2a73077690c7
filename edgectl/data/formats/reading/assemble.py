"""What most formats say, in one shape: images by name, objects by class name. It becomes an index here.

A reader of such a format only turns its file into :class:`StatedImage`; finding images and sizes,
ordering classes and noting what is left out is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgectl.data.formats.reading.boxes import StatedBoxes, make_sample, require_size
from edgectl.data.formats.reading.classes_file import read_classes
from edgectl.data.formats.reading.finder import ImageFinder
from edgectl.data.formats.tolerance import refuse
from edgectl.data.images.headers import image_size
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

FIX = "correct the file, or export the labels again"


@dataclass
class StatedImage:
    """One image, as a label file states it.

    Attributes:
        name: of the image, as the file has it.
        split: it belongs to.
        file: the label file, for errors.
        folders: where the image is looked for.
        size: (width, height), None where the file says none.
        boxes: x0 y0 x1 y1 each, in pixels, or shares of the image where ``relative``.
        names: class of each box.
        crowd: of each box; empty for none.
        ordered: see :class:`StatedBoxes`.
        path: the image itself, where the reader knows it.
    """

    name: str
    split: str
    file: Path
    folders: Sequence[Path] = ()
    size: tuple[int, int] | None = None
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    relative: bool = False
    ordered: bool = False
    path: Path | None = None

    def add(self, box: tuple[float, float, float, float], name: str, crowd: bool = False) -> None:
        """Raises DataError for an object without a class."""
        if not name.strip():
            raise DataError("an object without name", where=str(self.file), fix=FIX)
        self.boxes.append(box)
        self.names.append(name)
        self.crowd.append(crowd)


def assemble(
    root: Path,
    fmt: str,
    images: Iterable[StatedImage],
    *,
    classes: Sequence[str] | None = None,
    repairs: list[Repair] | None = None,
    finder: ImageFinder | None = None,
) -> DatasetIndex:
    """One index of all images.

    Args:
        classes: in label order; None takes those of ``classes.txt``, or those that occur.
        repairs: what the reader has noted so far.

    Raises:
        DataError: no objects at all, absent images, names that fit two images.
    """
    stated = list(images)
    repairs = [] if repairs is None else repairs
    if classes is None:
        classes = read_classes(root, {n for i in stated for n in i.names})
    if not classes:
        raise DataError("no objects in any annotation", where=str(root), fix=FIX)
    label = {name: i for i, name in enumerate(classes)}
    finder = finder or ImageFinder(root)
    by_split: dict[str, list[Sample]] = {}
    absent: list[StatedImage] = []
    for one in stated:
        own = by_split.setdefault(one.split, [])
        try:
            path = one.path or finder.find(one.name, one.folders, str(one.file))
            if path is None:
                absent.append(one)
                continue
            size = one.size or _measure(one, path, repairs)
            if size is not None:
                own.append(_sample(one, path, size, label, classes, repairs))
        except DataError as e:
            lost = len(one.names)
            refuse(e, repairs, "broken_annotation", one.name, lost=lost, split=one.split)
    _report(absent, repairs)
    splits = {k: tuple(v) for k, v in by_split.items()}
    return DatasetIndex(root.resolve().name, root, fmt, tuple(classes), splits, repairs)


def _measure(one: StatedImage, path: Path, repairs: list[Repair]) -> tuple[int, int] | None:
    """The image's own size; None where it cannot be read and is left out."""
    try:
        return image_size(path)
    except DataError as e:
        refuse(e, repairs, "unreadable_image", one.name, lost=len(one.names), split=one.split)
        return None


def _sample(
    one: StatedImage,
    path: Path,
    size: tuple[int, int],
    label: dict[str, int],
    classes: Sequence[str],
    repairs: list[Repair],
) -> Sample:
    require_size(size, one.name, str(one.file), FIX)
    corners = np.array(one.boxes, np.float64).reshape(-1, 4)
    if one.relative:
        corners = corners * np.array([*size, *size], np.float64)
    if not np.isfinite(corners).all():
        raise DataError(f"{one.name}: a box is not a number", where=str(one.file), fix=FIX)
    labels = np.array([label[n] for n in one.names], np.int64)
    crowd = np.array(one.crowd or [False] * len(labels), bool)
    return make_sample(
        path,
        size,
        StatedBoxes(corners, labels, crowd, ordered=one.ordered),
        file=one.name,
        split=one.split,
        classes=classes,
        repairs=repairs,
    )


def _report(absent: list[StatedImage], repairs: list[Repair]) -> None:
    if not absent:
        return
    first = absent[0]
    places = first.folders[0] if first.folders else first.file.parent
    error = DataError(
        f"the image '{first.name[:200]}' is absent"
        + (f", and {len(absent) - 1} more" if absent[1:] else ""),
        where=str(first.file),
        fix=f"put it into {places}, or name the images' folder with --set data.images=DIR",
    )
    lost = sum(len(i.names) for i in absent)
    refuse(error, repairs, "missing_image", first.name, lost=lost, split=first.split)


def to_number(text: object, what: str, where: str) -> float:
    """Raises DataError for what is no finite number."""
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not np.isfinite(value) or isinstance(text, bool):
        raise DataError(f"{what} is not a number: '{str(text)[:60]}'", where=where, fix=FIX)
    return value
