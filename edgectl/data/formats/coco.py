"""COCO annotation files: the Roboflow export layout, the COCO 2017 layout, and a bare file.

Format: https://cocodataset.org/#format-data. Roboflow writes one ``_annotations.coco.json`` beside
the images of each split, with a dummy category 0 whose supercategory is ``none``.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.data.formats.boxes import BoxCollector, require_size
from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.formats.naming import image_at
from edgectl.data.formats.tolerance import refuse
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

ROBOFLOW_FILE = "_annotations.coco.json"
_FIX_EXPORT = "export the annotations again, or correct the file"


def roboflow_splits(root: Path) -> dict[str, tuple[Path, Path]]:
    """Split -> (annotation file, image directory) of ``<split>/_annotations.coco.json``."""
    found = sorted(root.glob(f"*/{ROBOFLOW_FILE}"))
    return {split_name(p.parent.name): (p, p.parent) for p in found}


def coco2017_splits(root: Path) -> dict[str, tuple[Path, Path]]:
    """The same of ``annotations/instances_<split>2017.json`` and ``<split>2017/``."""
    splits = {}
    for path in sorted(root.glob("annotations/instances_*.json")):
        folder = path.stem.removeprefix("instances_")
        splits[split_name(folder.removesuffix("2017"))] = (path, root / folder)
    return splits


def place_of(path: Path) -> tuple[str, Path]:
    """(split, image directory) of an annotation file given by itself."""
    if path.name == ROBOFLOW_FILE:
        return split_name(path.parent.name), path.parent
    for split, (file, images) in coco2017_splits(path.parent.parent).items():
        if file.name == path.name and images.is_dir():
            return split, images
    return "train", path.parent


def split_name(name: str) -> str:
    """``val`` is ``valid`` here."""
    return "valid" if name in ("val", "validation") else name


def read_splits(root: Path, fmt: str, splits: dict[str, tuple[Path, Path]]) -> DatasetIndex:
    """Reads every split into one index.

    Raises:
        DataError: a file that is not JSON or not COCO, absent images, unknown categories, boxes
            that are not numbers, splits with different classes, an empty split.
    """
    repairs: list[Repair] = []
    documents = {name: _load(path) for name, (path, _) in splits.items()}
    classes = _classes(documents, splits)
    samples = {}
    for name, (path, images) in splits.items():
        samples[name] = _samples(documents[name], path, (images, root), classes, repairs)
        if not samples[name]:
            raise DataError(
                f"the split '{name}' has no images",
                where=str(path),
                fix="add images, or remove it",
            )
    return DatasetIndex(root.resolve().name, root, fmt, classes, samples, repairs)


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as e:
        raise DataError(f"not JSON: {e.msg}", where=f"{path}:{e.lineno}", fix=_FIX_EXPORT) from e
    except (OSError, ValueError, RecursionError) as e:  # ValueError: no UTF-8, endless numbers
        raise DataError(f"cannot be read: {e}", where=str(path), fix=_FIX_EXPORT) from e
    if not isinstance(document, dict):
        document = {}
    for key in ("images", "annotations", "categories"):
        rows = document.get(key)
        if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
            raise DataError(f"not COCO: no list '{key}'", where=str(path), fix=_FIX_EXPORT)
    return document


def _classes(
    documents: dict[str, dict[str, Any]],
    splits: dict[str, tuple[Path, Path]],
) -> tuple[str, ...]:
    """Class names in category-id order; a category that is a dummy in every split is dropped."""
    used = [a.get("category_id") for d in documents.values() for a in d["annotations"]]
    dummy_is_used = 0 in used
    names: dict[str, tuple[str, ...]] = {}
    for split, document in documents.items():
        path = splits[split][0]
        try:
            rows = sorted(
                (int(c["id"]), str(c["name"]))
                for c in document["categories"]
                if dummy_is_used or c["id"] != 0 or c.get("supercategory") != "none"
            )
        except (KeyError, TypeError, ValueError, OverflowError) as e:
            raise DataError("a category lacks id or name", where=str(path), fix=_FIX_EXPORT) from e
        names[split] = tuple(name for _, name in rows)
        if len(set(names[split])) < len(rows) or len({n for n, _ in rows}) < len(rows):
            raise DataError(
                f"a category is there twice: {rows}", where=str(path), fix="rename or merge them"
            )
    first = next(iter(names))
    for split, own in names.items():
        if own != names[first]:
            raise DataError(
                f"categories in '{split}': {list(own)}, in '{first}': {list(names[first])}",
                where=str(splits[split][0]),
                fix="give every split the same categories with the same ids",
            )
    if not names[first]:
        raise DataError("no categories", where=str(splits[first][0]), fix=_FIX_EXPORT)
    return names[first]


def _samples(
    document: dict[str, Any],
    path: Path,
    places: tuple[Path, Path],
    classes: Sequence[str],
    repairs: list[Repair],
) -> tuple[Sample, ...]:
    """places: the image directory, and the set's."""
    images, root = places
    label_of = {
        int(c["id"]): classes.index(str(c["name"]))
        for c in document["categories"]
        if str(c["name"]) in classes
    }
    rows: dict[Any, list[dict[str, Any]]] = {}
    for annotation in document["annotations"]:
        # a key that is not a number or a string is no image's, and is reported as such below
        rows.setdefault(_key(annotation.get("image_id")), []).append(annotation)
    samples, absent, seen = [], [], set()
    for entry in document["images"]:
        try:
            file = str(entry["file_name"])
            width, height, number = int(entry["width"]), int(entry["height"]), _key(entry["id"])
        except (KeyError, TypeError, ValueError, OverflowError) as e:
            raise DataError(
                f"an image without file_name, width, height or id: {entry}",
                where=str(path),
                fix=_FIX_EXPORT,
            ) from e
        if number in seen:
            raise DataError(f"{file}: image id {number} twice", where=str(path), fix=_FIX_EXPORT)
        seen.add(number)
        require_size((width, height), file, str(path), _FIX_EXPORT)
        own = rows.pop(number, [])
        try:
            image = image_at(file, [images], root, str(path))
        except DataError as e:
            refuse(e, repairs, "broken_annotation", file)
            continue
        if image is None:
            absent.append(file)
            continue
        objects = _objects(own, file, (width, height), label_of, path, repairs)
        samples.append(Sample(image, width, height, *objects))
    if absent:
        error = DataError(
            f"{len(absent)} images named in the annotations are absent, the first: {absent[0]}",
            where=str(path),
            fix=f"put them into {images}, or remove their entries",
        )
        refuse(error, repairs, "missing_image", absent[0])
    if rows:
        error = DataError(
            f"annotations for an image that is not listed: image_id {next(iter(rows))}",
            where=str(path),
            fix=_FIX_EXPORT,
        )
        refuse(error, repairs, "orphan_annotation", path.name)
    return tuple(samples)


def _objects(
    annotations: list[dict[str, Any]],
    file: str,
    size: tuple[int, int],
    label_of: dict[Any, int],
    path: Path,
    repairs: list[Repair],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(N, 4) corners clipped to the image, (N,) labels, (N,) crowd, (N,) areas."""
    collector = BoxCollector(size, file, repairs)
    for annotation in annotations:
        try:
            x, y, w, h = _numbers(annotation.get("bbox"), file, path)
        except DataError as e:
            refuse(e, repairs, "not_a_box", file)
            continue
        category = _key(annotation.get("category_id"))
        if category not in label_of:
            error = DataError(
                f"{file}: unknown category {category!r}; known ids: {sorted(label_of)}",
                where=str(path),
                fix="add the category, or remove the annotation",
            )
            refuse(error, repairs, "unknown_class", file)
            continue
        collector.add(
            (x, y, x + w, y + h),
            label_of[category],
            crowd=bool(annotation.get("iscrowd", 0)),
            area=_area(annotation.get("area"), w * h),
            shown=f"[{x:g}, {y:g}, {w:g}, {h:g}]",
        )
    return collector.arrays()


def _area(noted: Any, of_box: float) -> float:
    """The area the file gives, usually a mask's; many tools write none, or 0."""
    if isinstance(noted, int | float) and 0 < noted <= sys.float_info.max:
        return float(noted)
    return of_box


def _key(value: Any) -> int | float | str:
    """Ids are numbers, from some tools strings; anything else becomes a string matching none."""
    return value if isinstance(value, int | float) else str(value)


def _numbers(bbox: Any, file: str, path: Path) -> list[float]:
    try:
        box = [float(v) for v in bbox]
    except (TypeError, ValueError, OverflowError):
        box = []
    if len(box) != 4 or not all(math.isfinite(v) for v in box):
        raise DataError(
            f"{file}: not a box [x, y, width, height]: {bbox!r}", where=str(path), fix=_FIX_EXPORT
        )
    return box


def write_coco2017(index: DatasetIndex, directory: Path, copies: ImageCopies) -> None:
    """``annotations/instances_<split>2017.json`` and ``<split>2017/``."""
    (directory / "annotations").mkdir()
    for split, samples in index.splits.items():
        folder = f"{'val' if split == 'valid' else split}2017"
        file = directory / "annotations" / f"instances_{folder}.json"
        _write(file, samples, directory / folder, index.classes, copies)


def write_roboflow(index: DatasetIndex, directory: Path, copies: ImageCopies) -> None:
    """``<split>/_annotations.coco.json`` beside the images."""
    for split, samples in index.splits.items():
        (directory / split).mkdir()
        file = directory / split / ROBOFLOW_FILE
        _write(file, samples, directory / split, index.classes, copies)


def _write(
    file: Path,
    samples: Sequence[Sample],
    folder: Path,
    classes: Sequence[str],
    copies: ImageCopies,
) -> None:
    folder.mkdir(exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, sample in enumerate(samples, start=1):
        copy = copies.add(sample, folder)
        images.append(
            {"id": number, "file_name": copy.name, "width": sample.width, "height": sample.height}
        )
        for row in _annotations(sample, number):
            annotations.append({"id": len(annotations) + 1, **row})
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": i, "name": name, "supercategory": "object"}
            for i, name in enumerate(classes, start=1)
        ],
    }
    file.write_text(json.dumps(document), encoding="utf-8")


def _annotations(sample: Sample, image_id: int) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image_id,
            "category_id": int(label) + 1,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": float(area),
            "iscrowd": int(crowd),
        }
        for (x0, y0, x1, y1), label, crowd, area in zip(
            sample.boxes_xyxy.astype(float).tolist(),
            sample.labels,
            sample.crowd,
            sample.object_areas(),
            strict=True,
        )
    ]
