"""Label Studio's own JSON: a list of tasks, boxes in percent of the image.

Format: https://labelstud.io/guide/export (JSON and JSON-MIN). A rotated rectangle becomes the upright box
around it. A cancelled annotation does not count; of several annotators' the first is taken, with a note.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from edgectl.data.formats.reading.assemble import FIX, StatedImage, assemble, to_number
from edgectl.data.formats.reading.json_files import load_json, look_into
from edgectl.data.formats.reading.walking import files_in, folder_called
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError

_LABELS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")


def is_label_studio(path: Path) -> bool:
    """Looks into the JSON files of the directory."""
    return _file_of(path) is not None


def _file_of(path: Path) -> Path | None:
    files = [path] if path.is_file() else files_in(path, ".json")[:16]
    return next(
        (f for f in files if f.suffix.lower() == ".json" and _is_document(look_into(f))), None
    )


def _is_document(document: Any) -> bool:
    if not isinstance(document, list) or not document or not isinstance(document[0], dict):
        return False
    task = document[0]
    full = isinstance(task.get("data"), dict) and ("annotations" in task or "completions" in task)
    return full or ("annotation_id" in task and "image" in task)


def read_label_studio(path: Path) -> DatasetIndex:
    """Raises DataError: boxes that are not numbers, objects without a class, absent images."""
    file = _file_of(path)
    assert file is not None
    root = file.parent
    images = folder_called(root, "images", "upload")
    folders = [*([] if images is None else [images]), root]
    repairs: list[Repair] = []
    stated = []
    for task in load_json(file):
        if not isinstance(task, dict):
            raise DataError(f"no task: {str(task)[:60]}", where=str(file), fix=FIX)
        stated.append(_stated(task, file, folders, repairs))
    return assemble(root, "label-studio", stated, repairs=repairs)


def _stated(
    task: dict[str, Any], file: Path, folders: list[Path], repairs: list[Repair]
) -> StatedImage:
    data = task.get("data", task)
    name = next(
        (str(data[k]) for k in ("image", "img", "ocr", "url") if isinstance(data.get(k), str)), ""
    ) or next((v for v in data.values() if isinstance(v, str) and "/" in v), "")
    if not name:
        raise DataError(f"a task without image: {str(task)[:60]}", where=str(file), fix=FIX)
    image = StatedImage(name, "train", file, folders, relative=True, ordered=True)
    for region, labels in _regions(task, name, str(file), repairs):
        box = _box(region, str(file))
        if box is None:
            detail = "a region that is no box: left out"
            class_name = labels[0] if labels else ""
            repairs.append(Repair("not_a_box", name, detail, 1, 1, "train", class_name))
        elif len(labels) > 1:
            raise DataError(f"a box of several classes: {labels}"[:120], where=str(file), fix=FIX)
        else:
            image.add(box, labels[0] if labels else "")
    return image


def _regions(
    task: dict[str, Any], name: str, where: str, repairs: list[Repair]
) -> list[tuple[dict[str, Any], list[str]]]:
    """(what states a box, its classes) of the annotation that counts."""
    if "data" in task and "annotations" not in task and "completions" not in task:
        raise DataError(f"a task without 'annotations': {str(task)[:60]}", where=where, fix=FIX)
    if "annotations" not in task and "completions" not in task:
        rows = [v for v in task.values() if isinstance(v, list)]
        flat = [r for v in rows for r in v if isinstance(r, dict)]
        return [(r, _classes(r)) for r in flat if any(k in r for k in _LABELS)]
    all_of = [
        a for a in task.get("annotations") or task.get("completions") or () if isinstance(a, dict)
    ]
    counting = [a for a in all_of if not a.get("was_cancelled")]
    if len(counting) > 1:
        detail = f"{len(counting)} annotations of one image: the first is taken"
        repairs.append(Repair("several_annotators", name, detail))
    found = []
    if counting and not isinstance(counting[0].get("result"), list):
        raise DataError("an annotation without 'result'", where=where, fix=FIX)
    for row in counting[0]["result"] if counting else ():
        value = row.get("value") if isinstance(row, dict) else None
        kind = row.get("type", "") if isinstance(row, dict) else ""
        if not isinstance(value, dict):
            raise DataError(f"a region without 'value': {str(row)[:60]}", where=where, fix=FIX)
        if kind not in ("choices", "textarea", "rating", "rectangle"):
            sizes = {k: row[k] for k in ("original_width", "original_height") if k in row}
            found.append(({**sizes, **value}, _classes(value)))
    return found


def _classes(value: dict[str, Any]) -> list[str]:
    labels: list[Any] = next((value[k] for k in _LABELS if isinstance(value.get(k), list)), [])
    return [str(v) for v in labels]


def _box(value: dict[str, Any], where: str) -> tuple[float, float, float, float] | None:
    """Shares of the image; None for what has no extent."""
    if isinstance(value.get("points"), list) and len(value["points"]) > 2:
        try:
            xs = [to_number(p[0], "a point", where) / 100 for p in value["points"]]
            ys = [to_number(p[1], "a point", where) / 100 for p in value["points"]]
        except (TypeError, IndexError, KeyError) as e:
            raise DataError("points that are none", where=where, fix=FIX) from e
        return min(xs), min(ys), max(xs), max(ys)
    if "radiusX" in value:
        x, y, rx, ry = (
            to_number(value.get(k), k, where) / 100 for k in ("x", "y", "radiusX", "radiusY")
        )
        return x - rx, y - ry, x + rx, y + ry
    if "width" not in value:
        return None
    x, y, w, h = (to_number(value.get(k), k, where) / 100 for k in ("x", "y", "width", "height"))
    angle = to_number(value.get("rotation") or 0, "rotation", where)
    if angle % 360:
        return _upright(value, (x, y, w, h), math.radians(angle), where)
    return x, y, x + w, y + h


def _upright(
    value: dict[str, Any], box: tuple[float, float, float, float], angle: float, where: str
) -> tuple[float, float, float, float]:
    """Around a rectangle turned about its corner; percent of width and height are not alike."""
    wide = to_number(value.get("original_width", 1), "original_width", where)
    high = to_number(value.get("original_height", 1), "original_height", where)
    x, y, w, h = box[0] * wide, box[1] * high, box[2] * wide, box[3] * high
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [
        (0.0, 0.0),
        (w * cos, w * sin),
        (-h * sin, h * cos),
        (w * cos - h * sin, w * sin + h * cos),
    ]
    xs, ys = [x + dx for dx, _ in corners], [y + dy for _, dy in corners]
    return min(xs) / wide, min(ys) / high, max(xs) / wide, max(ys) / high
