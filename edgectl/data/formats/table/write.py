"""Writes ``annotations.csv``, with the images in ``images/``."""

from __future__ import annotations

import csv
from pathlib import Path

from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.formats.reading.classes_file import write_classes
from edgectl.data.formats.table.columns import COLUMNS
from edgectl.data.index import DatasetIndex


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
