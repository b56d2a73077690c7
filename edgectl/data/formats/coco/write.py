"""Writes COCO: the 2017 layout, and Roboflow's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgectl.data.formats.coco.layouts import ROBOFLOW_FILE
from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.index import DatasetIndex
from edgectl.labels import Sample


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
