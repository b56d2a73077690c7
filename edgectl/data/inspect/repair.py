"""A repaired copy of a set: what can be kept is kept, the rest counted. The original is never touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.data.formats.writing import find_writer, write_dataset
from edgectl.data.images.orientation import read_labelled
from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.copies import LEARNED_FROM
from edgectl.data.inspect.findings import Finding
from edgectl.data.inspect.same_boxes import find_same_boxes
from edgectl.data.inspect.survey import ImageFacts
from edgectl.errors import DataError
from edgectl.labels import Sample

_SAME_SHAPE = 0.01
"""Relative difference of two aspect ratios that is rounding."""


@dataclass
class Repair:
    """What became of a set on its way into the copy.

    Attributes:
        unreadable, wrong_size: images left out, since they cannot be decoded or since nobody knows where
            their boxes lie.
        moved: images of one split that another shows as well: they go where they are learned from.
        rescaled: images of another size than stated, but of the same shape: their boxes are scaled.
        repeated_boxes: left out, since each lies on another of its class.
        unread_labels: that the reader could not use.
        emptied: splits all of whose images have moved or gone.
    """

    splits: dict[str, tuple[Sample, ...]]
    unreadable: int = 0
    wrong_size: int = 0
    moved: int = 0
    rescaled: int = 0
    repeated_boxes: int = 0
    unread_labels: int = 0
    lost_with_images: int = 0
    emptied: list[str] = field(default_factory=list)

    @property
    def images(self) -> int:
        """In the copy."""
        return sum(map(len, self.splits.values()))

    @property
    def labels(self) -> int:
        """In the copy."""
        return _count_labels(self.splits)

    def announce(self) -> list[str]:
        """Everything that is not in the copy as it was, in words, with its number."""
        said = [
            (self.unreadable, "images left out: they cannot be decoded"),
            (self.wrong_size, "images left out: of another shape than their labels were drawn on"),
            (self.lost_with_images, "labels left out with these images"),
            (
                self.unread_labels,
                "labels left out: no label says where a box is, or of which class",
            ),
            (self.repeated_boxes, "boxes left out: they lie on others of their class"),
            (self.rescaled, "images whose boxes are scaled to the image's true size"),
            (self.moved, "images moved to the split that shows the same: none is left out"),
        ]
        lines = [f"{count} {what}" for count, what in said if count]
        return lines + [f"no images are left in '{name}'" for name in self.emptied]


def write_repaired(
    index: DatasetIndex,
    facts: Sequence[ImageFacts],
    found: Sequence[Finding],
    directory: Path,
    seen: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Writes the set with what can be kept, in its own format where edgectl writes that. The copy is
    read back before it gets its name; ``seen`` is called once an image.

    Returns:
        ``images``, ``labels``, ``left_out`` (images), ``format``, and ``announced``: see
        :meth:`Repair.announce`.

    Raises:
        DataError: nothing is left, or the copy would hold less than is announced.
    """
    repair = plan_repair(index, facts, found, seen)
    if not repair.images:
        raise DataError(
            "no image is left that could be written",
            where=str(index.root),
            fix="correct the labels",
        )
    stated = _count_labels(index.splits)
    if repair.labels != stated - repair.lost_with_images - repair.repeated_boxes:
        raise DataError(
            f"of {stated} labels the copy would hold {repair.labels}, which is fewer than announced: "
            + "; ".join(repair.announce()),
            where=str(index.root),
            fix="nothing was written; please report this set",
        )
    fmt = index.format if find_writer(index.format) else "coco-2017"
    # reads the copy back, label by label, before the directory appears
    write_dataset(replace(index, splits=repair.splits), directory, fmt)
    return {
        "images": repair.images,
        "labels": repair.labels,
        "left_out": repair.unreadable + repair.wrong_size,
        "format": fmt,
        "announced": repair.announce(),
    }


def plan_repair(
    index: DatasetIndex,
    facts: Sequence[ImageFacts],
    found: Sequence[Finding],
    seen: Callable[[], None] = lambda: None,
) -> Repair:
    """What the copy will hold. Images that show the same within a split stay: their labels may differ."""
    problems = {str(f.path): f for f in facts if f.problem}
    sizes = {f.file for f in found if f.kind == "wrong_size"}
    targets = _targets(facts, found)
    known = {str(f.path): f for f in facts}
    repair = Repair({}, unread_labels=sum(r.lost for r in index.repairs))
    splits: dict[str, list[Sample]] = {name: [] for name in index.splits}
    for name, samples in index.splits.items():
        for sample in samples:
            path = str(sample.path)
            kept = None if path in problems else _mended(sample, known[path], path in sizes, repair)
            if path in problems:
                repair.unreadable += 1
            elif kept is None:
                repair.wrong_size += 1
            if kept is None:
                repair.lost_with_images += len(sample.class_labels())
            else:
                target = targets.get(path, name)
                repair.moved += target != name
                splits[target].append(kept)
            seen()
    repair.splits = {name: tuple(v) for name, v in splits.items() if v}
    repair.emptied = [n for n, v in index.splits.items() if v and n not in repair.splits]
    return repair


def _targets(facts: Sequence[ImageFacts], found: Sequence[Finding]) -> dict[str, str]:
    """Image -> the split it belongs into, where another split shows the same."""
    split_of = {str(f.path): f.split for f in facts}
    targets: dict[str, str] = {}
    for finding in found:
        if finding.kind != "leakage":
            continue
        splits = [split_of[file] for file in finding.files]
        target = next((n for n in LEARNED_FROM if n in splits), splits[-1])
        targets |= dict.fromkeys(finding.files, target)
    return targets


def _mended(sample: Sample, facts: ImageFacts, wrong_size: bool, repair: Repair) -> Sample | None:
    """Labels upright, of the image's size, each box once; None where nobody knows where they lie."""
    if sample.image_label is not None:
        return sample
    if wrong_size and facts.size is not None:
        width, height = facts.size
        across, down = width / sample.width, height / sample.height
        if len(sample.boxes_xyxy) and abs(across / down - 1.0) > _SAME_SHAPE:
            return None
        repair.rescaled += bool(len(sample.boxes_xyxy))
        areas = None if sample.areas is None else sample.areas * np.float32(across * down)
        factor = np.array([across, down] * 2, np.float32)
        limits = np.array([width, height] * 2, np.float32)
        boxes = np.minimum(sample.boxes_xyxy * factor, limits)
        upright = replace(sample, width=width, height=height, boxes_xyxy=boxes, areas=areas)
    else:
        upright = read_labelled(sample)[1]
    kept = ~find_same_boxes(upright.boxes_xyxy, upright.labels) | upright.crowd
    repair.repeated_boxes += int((~kept).sum())
    return replace(
        upright,
        boxes_xyxy=upright.boxes_xyxy[kept],
        labels=upright.labels[kept],
        crowd=upright.crowd[kept],
        areas=None if upright.areas is None else upright.areas[kept],
    )


def _count_labels(splits: dict[str, tuple[Sample, ...]]) -> int:
    return sum(len(s.class_labels()) for v in splits.values() for s in v)
