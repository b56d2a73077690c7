"""CSV: one line a box, ``filename,width,height,class,xmin,ymin,xmax,ymax`` and, optionally, ``split``.

The table TensorFlow's object detection tutorials and Roboflow write. An image without objects has a
line with an empty class. Images lie beside the file or in ``images/``. A ``classes.txt`` in the directory
gives classes an order.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

from edgectl.data.formats.boxes import BoxCollector, require_size
from edgectl.data.formats.classes_file import read_classes, write_classes
from edgectl.data.formats.coco import split_name
from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.formats.naming import image_at
from edgectl.data.formats.tolerance import refuse
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

FILES = ("annotations.csv", "_annotations.csv", "labels.csv")
COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
_FIX = "correct the file, or export the labels again"


def tables_of(path: Path) -> dict[str, Path]:
    """Split (empty: the file's own column says) to CSV file."""
    if path.is_file():
        return {"": path} if path.suffix == ".csv" else {}
    for name in FILES:
        if (path / name).is_file():
            return {"": path / name}
    found = {split_name(f.parent.name): f for name in FILES for f in sorted(path.glob(f"*/{name}"))}
    return found if path.is_dir() else {}


def read_csv(path: Path) -> DatasetIndex:
    """Classes as :func:`read_classes` has them; without a column ``split`` everything is *train*.

    Raises:
        DataError: missing columns, numbers that are none, absent images.
    """
    root = path if path.is_dir() else path.parent
    repairs: list[Repair] = []
    tables = {split: (file, _rows(file)) for split, file in tables_of(path).items()}
    named = {row["class"] for _, rows in tables.values() for row in rows} - {""}
    classes = read_classes(root, named)
    if not classes:
        raise DataError("no boxes in any line", where=str(path), fix=_FIX)
    by_split: dict[str, list[Sample]] = defaultdict(list)
    for split, (file, rows) in tables.items():
        by_image: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in rows:
            by_image[row["filename"]].append(row)
        for name, own in by_image.items():
            target = split or split_name(own[0].get("split") or "train")
            try:
                by_split[target].append(_sample(file, root, name, own, classes, repairs))
            except DataError as e:
                refuse(e, repairs, "broken_annotation", name)
    splits = {k: tuple(v) for k, v in by_split.items()}
    return DatasetIndex(root.resolve().name, root, "csv", classes, splits, repairs)


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as f:
            reader = csv.DictReader(f)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"no column {', '.join(missing)}",
                    where=str(file),
                    fix=f"columns: {','.join(COLUMNS)}",
                )
            return [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise DataError(f"not CSV: {e}", where=str(file), fix=_FIX) from e


def _sample(
    file: Path,
    root: Path,
    name: str,
    rows: list[dict[str, str]],
    classes: tuple[str, ...],
    repairs: list[Repair],
) -> Sample:
    folders = [file.parent, file.parent / "images"]
    image = image_at(name, folders, root, str(file))
    if image is None:
        raise DataError(f"the image '{name}' is absent", where=str(file), fix=_FIX)
    width, height = (int(_number(rows[0][c], c, file)) for c in ("width", "height"))
    require_size((width, height), name, str(file), _FIX)
    collector = BoxCollector((width, height), name, repairs)
    for row in rows:
        if row["class"]:
            x0, y0, x1, y1 = (_number(row[c], c, file) for c in COLUMNS[4:])
            crowd = row.get("crowd", "") == "1"
            collector.add((x0, y0, x1, y1), classes.index(row["class"]), crowd=crowd)
    boxes, labels, crowds, _ = collector.arrays()
    return Sample(image, width, height, boxes, labels, crowds)


def _number(text: str, column: str, file: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{column} is not a number: '{text}'", where=str(file), fix=_FIX)
    return value


def write_csv(index: DatasetIndex, directory: Path, copies: ImageCopies) -> None:
    """An image without objects gets a line with an empty class. Corners are written exactly."""
    write_classes(index.classes, index.occurring(), directory)
    with (directory / "annotations.csv").open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f)
        writer.writerow([*COLUMNS, "split", "crowd"])
        for split, samples in index.splits.items():
            for sample in samples:
                name = copies.add(sample, directory / "images").name
                head = [name, sample.width, sample.height]
                for box, label, crowd in zip(
                    sample.boxes_xyxy, sample.labels, sample.crowd, strict=True
                ):
                    writer.writerow([*head, index.classes[label], *box, split, int(crowd)])
                if not len(sample.labels):
                    writer.writerow([*head, "", "", "", "", "", split, 0])
