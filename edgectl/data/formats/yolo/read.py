"""A YOLO set becomes samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgectl.data.formats.reading.boxes import StatedBoxes, make_sample
from edgectl.data.formats.tolerance import refuse
from edgectl.data.formats.yolo.columns import decide_columns
from edgectl.data.formats.yolo.labels import LabelFiles, read_text, unlisted
from edgectl.data.formats.yolo.layouts import FIX, Layout, find_layout
from edgectl.data.formats.yolo.lines import Lines, parse_lines
from edgectl.data.images.headers import image_size
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample


def read_yolo(path: Path) -> DatasetIndex:
    """Raises DataError: YAML without names or splits, absent folders, lines that are not boxes."""
    layout = find_layout(path)
    root, repairs = layout.root, layout.repairs
    labels = LabelFiles()
    files = {split: [labels.of(p) for p in images] for split, images in layout.splits.items()}
    parsed = {
        file: parse_lines(file, read_text(file, FIX))
        for own in files.values()
        for file in own
        if file is not None
    }
    meanings = decide_columns(list(parsed.values()), layout.key_points, repairs)
    reader = _Reader(layout.classes, parsed, meanings, repairs)
    splits = {}
    for split, images in layout.splits.items():
        _note_missing(split, images, files[split], layout)
        made = (reader.sample(split, *pair) for pair in zip(images, files[split], strict=True))
        splits[split] = tuple(s for s in made if s is not None)
    _note_unread(labels, layout)
    _note_orphans(labels, layout)
    for file, image, other in labels.shared:
        detail = f"{image.name} and {other.name} have the same label file"
        if image.parent != other.parent or image.stem == other.stem:
            repairs.append(Repair("shared_label", file.name, detail))
    return DatasetIndex(root.resolve().name, root, "yolo", layout.classes, splits, repairs)


@dataclass
class _Reader:
    classes: tuple[str, ...]
    parsed: dict[Path, Lines]
    meanings: dict[int, str]
    repairs: list[Repair]

    def sample(self, split: str, image: Path, labels: Path | None) -> Sample | None:
        """None for an image that cannot be read, where the reader is tolerant."""
        lines = None if labels is None else self.parsed[labels]
        try:
            size = image_size(image)
        except DataError as e:
            lost = 0 if lines is None else len(lines.number)
            refuse(e, self.repairs, "unreadable_image", image.name, lost=lost, split=split)
            return None
        if lines is None:
            stated = StatedBoxes(np.zeros((0, 4)), np.zeros(0))
            used = np.zeros(0, np.int64)
        else:
            used = self._used(lines, split)
            corners = self._corners(lines, used, size)
            stated = StatedBoxes(corners, lines.head[used, 0], ordered=True)

        def shown(i: int) -> str:
            assert lines is not None
            row = lines.head[used[i]]
            return f"line {lines.number[used[i]]}: {row[0]:.0f} " + " ".join(
                f"{v:g}" for v in row[1:]
            )

        return make_sample(
            image,
            size,
            stated,
            file=image.name,
            split=split,
            classes=self.classes,
            repairs=self.repairs,
            shown=shown,
        )

    def _used(self, lines: Lines, split: str) -> np.ndarray:
        """(N,) rows whose class is one."""
        file = lines.file
        for number, text in lines.bad:
            error = DataError(
                f"not 'class cx cy width height': {text[:60]}", where=f"{file}:{number}", fix=FIX
            )
            refuse(error, self.repairs, "not_a_box", file.name, lost=1, split=split)
        label = lines.head[:, 0]
        wrong = (label < 0) | (label >= len(self.classes)) | (label % 1 != 0)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            error = DataError(
                f"class {label[first]:g}; there are {len(self.classes)}, from 0",
                where=f"{file}:{lines.number[first]}",
                fix=FIX,
            )
            lost = int(wrong.sum())
            refuse(error, self.repairs, "unknown_class", file.name, lost=lost, split=split)
        return np.flatnonzero(~wrong)

    def _corners(self, lines: Lines, used: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """(N, 4) x0 y0 x1 y1, pixels."""
        head = lines.head[used, 1:]
        meaning = np.array([self.meanings[c] for c in lines.count[used].tolist()], object)
        half = head[:, 2:] / 2
        corners = np.hstack([head[:, :2] - half, head[:, :2] + half])
        corners = np.where((meaning == "polygon")[:, None], lines.hull[used], corners)
        corners = np.where((meaning == "corners")[:, None], head, corners)
        scale = np.array([*size, *size], np.float64)
        scaled: np.ndarray = np.where((meaning == "pixels")[:, None], corners, corners * scale)
        return scaled


def _note_missing(split: str, images: list[Path], files: list[Path | None], layout: Layout) -> None:
    missing = [p for p, f in zip(images, files, strict=True) if f is None]
    if not missing:
        return
    if len(missing) == len(images) and split != "test":
        error = DataError(
            f"no label file for any of the {len(images)} images of '{split}': "
            f"none in a folder labels, none beside {missing[0].name}",
            where=str(layout.file),
            fix="put them where images/ becomes labels/, or beside the images; an image without "
            "objects has an empty one",
        )
        refuse(error, layout.repairs, "missing_label", missing[0].name, split=split)
        return
    names = ", ".join(p.name for p in missing[:3]) + (", ..." if missing[3:] else "")
    detail = f"no label file, taken as empty: {names}"
    if len(missing) == len(images):
        detail = f"no image of '{split}' has a label file: taken as empty"
    layout.repairs.append(
        Repair("missing_label", missing[0].name, detail, len(missing), split=split)
    )


def _note_unread(labels: LabelFiles, layout: Layout) -> None:
    """Images of a suffix that is not read, with the labels that are lost with them."""
    for split, images in layout.unread.items():
        files = [f for f in map(labels.of, images) if f is not None]
        lost = sum(map(_count_lines, files))
        detail = f"{len(images)} images of a kind that is not read"
        layout.repairs.append(
            Repair("unread_image", images[0].name, detail, len(images), lost, split)
        )


def _count_lines(file: Path) -> int:
    """Lines that may be labels; 0 for what is some other text."""
    try:
        return len(parse_lines(file, read_text(file, FIX)).number)
    except DataError:
        return 0


def _note_orphans(labels: LabelFiles, layout: Layout) -> None:
    """Label files in a split's folders that belong to no image: their labels are lost. Those of images
    that no split names are only told of: it may be meant so."""
    seen: set[Path] = set()
    for split, folders in layout.folders.items():
        orphans = labels.without_image(folders)
        seen.update(orphans)
        lost = 0
        first = ""
        for file in orphans:
            count = _count_lines(file)
            lost += count
            first = first or (file.name if count else "")
        if lost:
            detail = f"{lost} labels in label files whose image is not there"
            layout.repairs.append(Repair("orphan_label", first, detail, len(orphans), lost, split))
    left = unlisted(labels, layout.root, seen)
    if left:
        count = sum(map(_count_lines, left))
        detail = f"{count} labels of images that are in no split, in {len(left)} files"
        layout.repairs.append(Repair("unlisted", left[0].name, detail, max(count, 1)))
