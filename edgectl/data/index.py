"""Labelled images, as every format reader delivers them and every consumer reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgectl.data.images.kinds import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from edgectl.data.images.storage import size_of
from edgectl.errors import UnknownNameError
from edgectl.labels import Sample


@dataclass(frozen=True)
class Repair:
    """Something a reader left out or mended, for ``warnings`` and ``data check``.

    Attributes:
        kind: ``zero_size_box``, ``box_clipped``, ``missing_image``, ...
        file: the image or label file, the first one where there are several.
        detail: what it was, in words.
        count: how many there were of the kind in ``file``.
        lost: how many labels the file states that are not in the set because of it.
        split, name: of the lost labels: their split and class, empty where that is not known.
    """

    kind: str
    file: str
    detail: str
    count: int = 1
    lost: int = 0
    split: str = ""
    name: str = ""


def summarize_repairs(repairs: Sequence[Repair]) -> list[str]:
    """A line for each kind: the first of them, and how many more there are."""
    kinds: dict[str, list[Repair]] = {}
    for repair in repairs:
        kinds.setdefault(repair.kind, []).append(repair)
    lines = []
    for kind, found in kinds.items():
        first, more = found[0], len(found) - 1
        line = f"{first.file}: {kind.replace('_', ' ')}: {first.detail}"
        lines.append(line + (f"; and {more} more files" if more else ""))
    return lines


@dataclass
class DatasetIndex:
    """Attributes:
    name: catalog name or directory name.
    root: directory.
    format: ``coco-roboflow``, ``coco-2017``, ...
    classes: names, in label order; dummy categories dropped.
    splits: split name -> samples.
    repairs: what the reader had to change.
    made_splits: split name -> how it was made, where the set came without it.
    """

    name: str
    root: Path
    format: str
    classes: tuple[str, ...]
    splits: dict[str, tuple[Sample, ...]]
    repairs: list[Repair] = field(default_factory=list)
    made_splits: dict[str, str] = field(default_factory=dict)

    def count_images(self) -> int:
        """Of all splits."""
        return sum(map(len, self.splits.values()))

    def files(self) -> dict[str, list[str]]:
        """Split name -> images, relative to ``root``; absolute where they lie elsewhere."""
        return {
            name: [_shown_path(s.path, self.root) for s in samples]
            for name, samples in self.splits.items()
        }

    def occurring(self) -> set[str]:
        """Names of the classes that have an object or an image in any split."""
        used = {int(c) for v in self.splits.values() for s in v for c in s.class_labels()}
        return {self.classes[c] for c in used}

    def fingerprint(self, split: str) -> str:
        """sha256 (16 hex digits) over file names, file sizes, labels, crowd flags and class names of
        a split."""
        h = hashlib.sha256("\0".join(self.classes).encode())
        for s in sorted(self.splits[split], key=lambda s: s.path.name):
            h.update(f"{s.path.name}\0{size_of(s.path)}\0".encode())
            h.update(np.ascontiguousarray(s.boxes_xyxy, np.float32).tobytes())
            h.update(np.ascontiguousarray(s.class_labels(), np.int64).tobytes())
            if s.crowd.any():  # only then: runs have noted fingerprints of sets without
                h.update(np.ascontiguousarray(s.crowd, bool).tobytes())
            h.update(s.own_labels())
        return h.hexdigest()[:16]

    def restricted(self, classes: Sequence[str]) -> DatasetIndex:
        """Only these classes, labelled in this order. Images that lose all their objects stay; those
        with another class of their own go.

        Raises:
            UnknownNameError: a class the set does not have.
        """
        for name in classes:
            if name not in self.classes:
                raise UnknownNameError(f"class of '{self.name}'", name, list(self.classes))
        new_label = np.full(len(self.classes), -1, np.int64)
        new_label[[self.classes.index(c) for c in classes]] = np.arange(len(classes))
        splits = {
            split: tuple(
                _relabelled(s, new_label)
                for s in samples
                if s.image_label is None or new_label[s.image_label] >= 0
            )
            for split, samples in self.splits.items()
        }
        return replace(self, classes=tuple(classes), splits=splits)


def _shown_path(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _relabelled(sample: Sample, new_label: np.ndarray) -> Sample:
    """``new_label[old]`` is the new label, -1 drops the object."""
    labels = new_label[sample.labels]
    kept = labels >= 0
    return replace(
        sample,
        boxes_xyxy=sample.boxes_xyxy[kept],
        labels=labels[kept],
        crowd=sample.crowd[kept],
        areas=None if sample.areas is None else sample.areas[kept],
        image_label=None if sample.image_label is None else int(new_label[sample.image_label]),
    )
