"""Writes a YOLO set: ``data.yaml``, ``images/<split>``, ``labels/<split>``."""

from __future__ import annotations

from pathlib import Path

import yaml

from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.index import DatasetIndex
from edgectl.labels import Sample


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
