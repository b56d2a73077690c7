"""A COCO set becomes samples."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from edgectl.data.formats.coco.document import label_of_ids, load_coco, plain_id, read_classes
from edgectl.data.formats.coco.layouts import Part, find_layout
from edgectl.data.formats.coco.masks import around_run_lengths
from edgectl.data.formats.reading.boxes import StatedBoxes, make_sample, require_size
from edgectl.data.formats.reading.finder import ImageFinder
from edgectl.data.formats.reading.json_files import FIX
from edgectl.data.formats.tolerance import refuse
from edgectl.data.images.headers import image_size
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

Rows = dict[Any, list[dict[str, Any]]]


def read_coco(path: Path) -> DatasetIndex:
    """Reads every split into one index.

    Raises:
        DataError: a file that is not JSON or not COCO, absent images, unknown categories, boxes
            that are not numbers, splits with different classes, an empty split.
    """
    layout = find_layout(path)
    assert layout is not None
    repairs: list[Repair] = []
    documents = [(part.file, part.split, load_coco(part.file)) for part in layout.parts]
    classes = read_classes(documents)
    finder = ImageFinder(layout.root)
    splits: dict[str, tuple[Sample, ...]] = {}
    for part, (_, _, document) in zip(layout.parts, documents, strict=True):
        reader = _Reader(part, classes, label_of_ids(document, classes), finder, repairs)
        samples = reader.samples(document)
        if not samples and part.split != "test":
            raise DataError(
                f"the split '{part.split}' has no images",
                where=str(part.file),
                fix="add images, or remove it",
            )
        if samples:
            splits[part.split] = splits.get(part.split, ()) + samples
        else:
            detail = "no images: the split is left out"
            repairs.append(Repair("absent_split", part.file.name, detail, split=part.split))
    if not splits:
        raise DataError("no images in any split", where=str(path), fix=FIX)
    root = layout.root
    return DatasetIndex(root.resolve().name, root, layout.name, classes, splits, repairs)


@dataclass
class _Reader:
    """Reads one annotation file."""

    part: Part
    classes: tuple[str, ...]
    label_of: dict[Any, int]
    finder: ImageFinder
    repairs: list[Repair]

    def samples(self, document: dict[str, Any]) -> tuple[Sample, ...]:
        """Images in the order of the file."""
        rows: Rows = {}
        for annotation in document["annotations"]:
            # a key that is not a number or a string is no image's, and is reported as such below
            rows.setdefault(plain_id(annotation.get("image_id")), []).append(annotation)
        samples, absent, seen = [], [], set()
        lost = 0
        where = str(self.part.file)
        for entry in document["images"]:
            try:
                file, number = str(entry["file_name"]), plain_id(entry["id"])
                size = _stated_size(entry)
            except (KeyError, TypeError, ValueError, OverflowError) as e:
                raise DataError(
                    f"an image without file_name, width, height or id: {str(entry)[:200]}",
                    where=where,
                    fix=FIX,
                ) from e
            if number in seen:
                raise DataError(f"{file}: image id {number} twice", where=where, fix=FIX)
            seen.add(number)
            if size is not None:
                require_size(size, file, where, FIX)
            own = rows.pop(number, [])
            image = self._image(file, len(own))
            if image is None:
                absent.append(file)
                lost += len(own)
            elif image.name:
                size = size or self._measured(image, file, len(own))
                if size is not None:
                    samples.append(self._sample(image, size, file, own))
        self._report(absent, lost, rows)
        return tuple(samples)

    def _image(self, file: str, labels: int) -> Path | None:
        """None: absent. An empty path: refused, and noted."""
        try:
            return self.finder.find(file, self.part.folders, str(self.part.file))
        except DataError as e:
            refuse(e, self.repairs, "broken_annotation", file, lost=labels, split=self.part.split)
            return Path()

    def _measured(self, image: Path, file: str, labels: int) -> tuple[int, int] | None:
        """The image's own size; None where it cannot be read and is left out."""
        try:
            size = image_size(image)
        except DataError as e:
            refuse(e, self.repairs, "unreadable_image", file, lost=labels, split=self.part.split)
            return None
        detail = "no size in the annotations: the image's own is taken"
        self.repairs.append(Repair("size_from_image", file, detail, split=self.part.split))
        return size

    def _report(self, absent: list[str], lost: int, rows: Rows) -> None:
        part = self.part
        if absent:
            plain = Path(unquote(absent[0].replace("\\", "/").split("?d=")[-1])).name
            error = DataError(
                f"{len(absent)} images named in the annotations are absent, "
                f"the first: {absent[0][:200]}",
                where=str(part.file),
                fix=f"put them into {part.folders[0]} ({plain[:80]}, names decoded), or name their "
                "folder with --set data.images=DIR, or remove their entries",
            )
            refuse(error, self.repairs, "missing_image", absent[0], lost=lost, split=part.split)
        if rows:
            error = DataError(
                f"annotations for an image that is not listed: image_id {next(iter(rows))}"[:200],
                where=str(part.file),
                fix=FIX,
            )
            count = sum(map(len, rows.values()))
            refuse(
                error,
                self.repairs,
                "orphan_annotation",
                part.file.name,
                lost=count,
                split=part.split,
            )

    def _sample(
        self, image: Path, size: tuple[int, int], file: str, own: list[dict[str, Any]]
    ) -> Sample:
        boxes, labels, crowd, areas = [], [], [], []
        for annotation in own:
            made = self._object(annotation, file)
            if made is not None:
                boxes.append(made[0])
                labels.append(made[1])
                crowd.append(annotation.get("iscrowd", 0) not in (0, None, "0", "false", ""))
                areas.append(_area(annotation.get("area"), made[0][2] * made[0][3]))
        stated = np.array(boxes, np.float64).reshape(-1, 4)
        corners = np.hstack([stated[:, :2], stated[:, :2] + stated[:, 2:]])

        def shown(i: int) -> str:
            return "[" + ", ".join(f"{v:g}" for v in boxes[i]) + "]"

        return make_sample(
            image,
            size,
            StatedBoxes(
                corners,
                np.array(labels, np.int64),
                np.array(crowd, bool),
                np.array(areas, np.float64),
                ordered=True,
            ),
            file=file,
            split=self.part.split,
            classes=self.classes,
            repairs=self.repairs,
            shown=shown,
        )

    def _object(self, annotation: dict[str, Any], file: str) -> tuple[list[float], int] | None:
        """(x y width height, label), None for what is no object or noted as wrong."""
        split = self.part.split
        if _is_placeholder(annotation):
            detail = "an annotation without box, mask and area: no object"
            self.repairs.append(Repair("empty_annotation", file, detail, split=split))
            return None
        category = plain_id(annotation.get("category_id"))
        label = self.label_of.get(category)
        name = "" if label is None else self.classes[label]
        try:
            box = _box(annotation, file, self.part.file)
        except DataError as e:
            refuse(e, self.repairs, "not_a_box", file, lost=1, split=split, name=name)
            return None
        if label is None:
            known = sorted(self.label_of, key=str)[:20]
            error = DataError(
                f"{file}: unknown category {_short(category)}; known ids: {known}",
                where=str(self.part.file),
                fix="add the category, or remove the annotation",
            )
            refuse(error, self.repairs, "unknown_class", file, lost=1, split=split)
            return None
        return box, label


def _short(value: Any) -> str:
    return repr(value if not isinstance(value, str) else value[:60])[:80]


def _stated_size(entry: dict[str, Any]) -> tuple[int, int] | None:
    """None where the file says none: downloads of unlabelled tasks have null."""
    width, height = entry.get("width"), entry.get("height")
    if width is None and height is None:
        return None
    return int(entry["width"]), int(entry["height"])


def _is_placeholder(annotation: dict[str, Any]) -> bool:
    """Some tools write an annotation of nothing for an image without objects."""
    box = annotation.get("bbox")
    empty = box == [] or (isinstance(box, list) and len(box) == 4 and not any(box))
    nothing = not annotation.get("segmentation") and annotation.get("area") in (0, 0.0, None)
    return empty and nothing and not (box and annotation.get("area") is None)


def _box(annotation: dict[str, Any], file: str, path: Path) -> list[float]:
    """The box as it stands, else the one around the polygons or the mask."""
    bbox = annotation.get("bbox")
    if not bbox:
        mask = annotation.get("segmentation")
        around = around_run_lengths(mask) if isinstance(mask, dict) else _around(mask)
        if around is not None:
            return around
    try:
        box = [float(v) for v in bbox or ()]
    except (TypeError, ValueError, OverflowError):
        box = []
    if len(box) != 4 or not all(math.isfinite(v) for v in box):
        raise DataError(
            f"{file}: not a box [x, y, width, height]: {str(bbox)[:80]}", where=str(path), fix=FIX
        )
    return box


def _around(segmentation: Any) -> list[float] | None:
    if not isinstance(segmentation, list) or not segmentation:
        return None
    try:
        points = [float(v) for polygon in segmentation for v in polygon]
        whole = all(len(p) >= 6 and len(p) % 2 == 0 for p in segmentation)
    except (TypeError, ValueError, OverflowError):
        return None
    if not whole or not all(math.isfinite(v) for v in points):
        return None
    xs, ys = points[0::2], points[1::2]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def _area(noted: Any, of_box: float) -> float:
    """The area the file gives, usually a mask's; many tools write none, or 0."""
    if isinstance(noted, int | float) and 0 < noted <= sys.float_info.max:
        return float(noted)
    return of_box
