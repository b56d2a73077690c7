"""YOLO: ``data.yaml`` names splits and classes, one text file an image holds its boxes.

Format: https://docs.ultralytics.com/datasets/detect/. A line is ``class cx cy width height``, relative to
the image. ``labels/`` lies where ``images/`` lies.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from edgectl.data.formats.boxes import BoxCollector
from edgectl.data.formats.coco import split_name
from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.formats.tolerance import refuse
from edgectl.data.images.headers import image_size
from edgectl.data.index import IMAGE_SUFFIXES, DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

DESCRIPTION = "data.yaml"
_SPLITS = ("train", "val", "valid", "test")
_FIX = "correct the file, or export the labels again"


def description_of(path: Path) -> Path | None:
    """The YAML file of a YOLO directory, or the one given."""
    if path.is_dir():
        found = [path / DESCRIPTION, path / "dataset.yaml"]
        return next((p for p in found if p.is_file()), None)
    return path if path.suffix in (".yaml", ".yml") and path.is_file() else None


def read_yolo(path: Path) -> DatasetIndex:
    """Raises DataError: YAML without names or splits, absent folders, lines that are not boxes."""
    file = description_of(path)
    assert file is not None
    document = _load(file)
    root = file.parent
    classes = _classes(document, file)
    repairs: list[Repair] = []
    splits = {}
    for key in _SPLITS:
        if document.get(key):
            try:
                images = _images(document, key, file)
            except OSError as e:
                raise DataError(f"{key}: {e.strerror}", where=str(file), fix=_FIX) from e
            made = [_sample(p, classes, repairs) for p in images]
            splits[split_name(key)] = tuple(s for s in made if s is not None)
    if not splits:
        raise DataError("no split (train, val, test) is named", where=str(file), fix=_FIX)
    return DatasetIndex(root.resolve().name, root, "yolo", classes, splits, repairs)


def _load(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as e:
        first = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise DataError(f"not YAML: {first}", where=str(file), fix=_FIX) from e
    if not isinstance(document, dict):
        raise DataError("not a YOLO description: no keys", where=str(file), fix=_FIX)
    return document


def _classes(document: dict[str, Any], file: Path) -> tuple[str, ...]:
    names = document.get("names")
    if isinstance(names, dict):
        try:
            names = [names[i] for i in range(len(names))]
        except KeyError as e:
            raise DataError(f"names: {e.args[0]} is missing", where=str(file), fix=_FIX) from e
    if not isinstance(names, list) or not names:
        raise DataError("no list 'names'", where=str(file), fix=_FIX)
    classes = tuple(str(n) for n in names)
    if len(set(classes)) < len(classes):
        raise DataError(f"a class twice: {list(classes)}", where=str(file), fix=_FIX)
    return classes


def _images(document: dict[str, Any], key: str, file: Path) -> list[Path]:
    """Of one split: folders, or text files that list images."""
    root, entry = file.parent, document[key]
    base = root / str(document.get("path") or ".")
    if not base.is_dir():  # exports keep the path of the machine they were made on
        base = root
    found: list[Path] = []
    for part in entry if isinstance(entry, list) else [entry]:
        name = str(part)
        # Roboflow writes ../train/images for a folder beside the file
        places = [base / name, root / name, root / name.removeprefix("../")]
        place = next((p for p in places if p.exists()), None)
        if place is None:
            raise DataError(f"'{name}' is not there", where=str(file), fix="correct the path")
        if place.is_dir():
            found += [p for p in sorted(place.rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES]
        else:
            lines = (line.strip() for line in _lines(place))
            found += [_listed(line, place, base) for line in lines if line]
    return found


def _listed(name: str, listing: Path, base: Path) -> Path:
    for place in (listing.parent / name, base / name):
        if place.is_file():
            return place
    raise DataError(f"'{name}' is absent", where=str(listing), fix="correct the list")


def label_file(image: Path) -> Path:
    """``images/a/b.jpg`` to ``labels/a/b.txt``; beside the image where there is no ``images``."""
    parts = list(image.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _sample(image: Path, classes: tuple[str, ...], repairs: list[Repair]) -> Sample | None:
    try:
        width, height = image_size(image)
    except DataError as e:
        refuse(e, repairs, "unreadable_image", image.name)
        return None
    collector = BoxCollector((width, height), image.name, repairs)
    labels = label_file(image)
    if not labels.is_file():
        repairs.append(Repair("missing_label", image.name, f"no {labels.name}: taken as empty"))
    else:
        for number, line in enumerate(_lines(labels), start=1):
            if line.split():
                try:
                    corners, label = _box(line, (width, height), classes, f"{labels}:{number}")
                except DataError as e:
                    refuse(e, repairs, "not_a_box", labels.name)
                    continue
                collector.add(corners, label, shown=line.strip())
    boxes, own, crowd, _ = collector.arrays()
    return Sample(image, width, height, boxes, own, crowd)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"cannot be read: {e}", where=str(path), fix=_FIX) from e


def _box(
    line: str, size: tuple[int, int], classes: tuple[str, ...], where: str
) -> tuple[tuple[float, float, float, float], int]:
    try:
        numbers = [float(v) for v in line.split()]
    except ValueError:
        numbers = []
    if len(numbers) < 5 or not all(math.isfinite(v) for v in numbers):
        raise DataError(f"not 'class cx cy width height': {line[:60]}", where=where, fix=_FIX)
    label = int(numbers[0])
    if not 0 <= label < len(classes) or label != numbers[0]:
        raise DataError(
            f"class {numbers[0]:g}; there are {len(classes)}, from 0", where=where, fix=_FIX
        )
    xs, ys = numbers[1::2], numbers[2::2]
    if len(numbers) == 5:
        cx, cy, w, h = numbers[1:]
        xs, ys = [cx - w / 2, cx + w / 2], [cy - h / 2, cy + h / 2]
    # more numbers are the corners of a polygon: the box around it
    width, height = size
    return (min(xs) * width, min(ys) * height, max(xs) * width, max(ys) * height), label


def write_yolo(index: DatasetIndex, directory: Path, copies: ImageCopies) -> None:
    """Nine digits of a coordinate: a float32 needs no more."""
    description: dict[str, object] = {"path": "."}
    for split, samples in index.splits.items():
        name = "val" if split == "valid" else split
        description[name] = f"images/{name}"
        labels = directory / "labels" / name
        labels.mkdir(parents=True)
        (directory / "images" / name).mkdir(parents=True)
        for sample in samples:
            copy = copies.add(sample, directory / "images" / name)
            (labels / f"{copy.stem}.txt").write_text(_lines_of(sample), encoding="utf-8")
    description["names"] = dict(enumerate(index.classes))
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True)
    (directory / "data.yaml").write_text(text, encoding="utf-8")


def _lines_of(sample: Sample) -> str:
    lines = []
    for box, label, crowd in zip(sample.boxes_xyxy, sample.labels, sample.crowd, strict=True):
        if crowd:
            continue
        x0, y0, x1, y1 = box.tolist()
        numbers = (
            (x0 + x1) / 2 / sample.width,
            (y0 + y1) / 2 / sample.height,
            (x1 - x0) / sample.width,
            (y1 - y0) / sample.height,
        )
        lines.append(f"{label} " + " ".join(f"{n:.9g}" for n in numbers) + "\n")
    return "".join(lines)
