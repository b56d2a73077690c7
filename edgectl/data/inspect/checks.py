"""What can be wrong with a data set: one small function a fault, in a table.

Each takes the evidence and yields findings. A new check is a function and a line in :data:`CHECKS`;
plugins register theirs.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.findings import Finding, Severity
from edgectl.data.inspect.similarity import near_duplicates
from edgectl.data.inspect.survey import ImageFacts
from edgectl.labels import Sample
from edgectl.plugins.registry import installed, load_object
from edgectl.spec import Size

_REPAIRS: dict[str, Severity] = {
    "missing_image": "error",
    "broken_annotation": "error",
    "orphan_annotation": "error",
    "unknown_class": "error",
    "not_a_box": "error",
    "unreadable_image": "error",
    "zero_size_box": "warning",
    "box_outside": "warning",
    "box_clipped": "note",
    "missing_label": "warning",
    "labels_lost": "error",
    "shared_image": "error",
    "exchanged_corners": "warning",
    "unread_image": "warning",
    "orphan_label": "warning",
    "shared_label": "warning",
    "class_count": "warning",
    "absent_split": "warning",
    "unlabelled_split": "warning",
    "several_annotators": "warning",
    "empty_class": "warning",
    "few_images": "warning",
}
"""How bad what a reader mended is."""

_BLANK = 3.0
_SAME_BOX_IOU = 0.95
_IMBALANCE = 20.0
_FEW = 20
_ALIKE = 0.8
_SHIFT = 0.25
_MIN_SHIFT_OBJECTS = 30
_BRIGHTNESS_SHIFT = 1.0
_TINY_SHARE = 0.1
_SHOWN = 3


@dataclass(frozen=True)
class Evidence:
    """Attributes:
    index: read with tolerance.
    facts: of every image.
    input_size: of the network in mind, (height, width).
    cell: smallest object side it can be expected to find, in network pixels.
    """

    index: DatasetIndex
    facts: Sequence[ImageFacts]
    input_size: Size
    cell: float

    def samples(self) -> Iterator[tuple[str, Sample]]:
        """Every sample with its split."""
        return ((n, s) for n, samples in self.index.splits.items() for s in samples)


Check = Callable[[Evidence], Iterator[Finding]]


def repaired_labels(e: Evidence) -> Iterator[Finding]:
    """What the reader left out or clipped."""
    for repair in e.index.repairs:
        yield Finding(_REPAIRS.get(repair.kind, "note"), repair.kind, repair.file, repair.detail)


def images_decode(e: Evidence) -> Iterator[Finding]:
    """Truncated files, files that are no images, blank ones."""
    for f in e.facts:
        if f.problem:
            yield Finding("error", "unreadable_image", str(f.path), f.problem)
        elif f.spread < _BLANK:
            detail = f"blank: all values within {f.spread:.1f} of {f.brightness:.0f}"
            yield Finding("warning", "blank_image", str(f.path), detail)


def sizes_as_stated(e: Evidence) -> Iterator[Finding]:
    """Boxes are drawn on the size an annotation states; another size moves them."""
    for f in e.facts:
        if f.size is None or not f.stated[0] or f.size == f.stated:
            continue
        of, says = "x".join(map(str, f.size)), "x".join(map(str, f.stated))
        if f.turned:
            detail = f"upright it is {of}, the annotation says {says}: boxes are turned along"
            yield Finding("warning", "exif_rotation", str(f.path), detail)
        else:
            detail = f"the image is {of}, the annotation says {says}"
            yield Finding("error", "wrong_size", str(f.path), detail)


def boxes_twice(e: Evidence) -> Iterator[Finding]:
    """Two boxes on one object: the same class, nearly the same place."""
    for _, s in e.samples():
        pairs = _same_boxes(s)
        if pairs:
            detail = f"{pairs} boxes of the same class lie on one another"
            yield Finding("warning", "duplicate_box", str(s.path), detail)


def classes_used(e: Evidence) -> Iterator[Finding]:
    """Classes without an object; names that look like one another."""
    counts = _class_counts(e)
    for name in e.index.classes:
        if not counts[name]:
            yield Finding("warning", "unused_class", "", f"'{name}' has no object in any split")
    for i, name in enumerate(e.index.classes):
        for other in e.index.classes[i + 1 :]:
            if _spelt_alike(name, other):
                rare, common = sorted((name, other), key=lambda n: counts[n])
                detail = (
                    f"'{rare}' ({counts[rare]} objects): is '{common}' ({counts[common]}) meant?"
                )
                yield Finding("warning", "similar_classes", "", detail)


def classes_balanced(e: Evidence) -> Iterator[Finding]:
    """Classes with far fewer objects than the largest, in *train*."""
    train = e.index.splits.get("train", ())
    counts = Counter(e.index.classes[c] for s in train for c in s.class_labels())
    if not counts:
        return
    largest, most = counts.most_common(1)[0]
    for name, count in sorted(counts.items()):
        if count < _FEW:
            yield Finding("note", "few_examples", "train", f"'{name}' has {count} objects")
        elif most > _IMBALANCE * count:
            detail = f"'{largest}' {most} objects, '{name}' {count}: {most / count:.0f} to 1"
            yield Finding("warning", "imbalance", "train", detail)


def splits_present(e: Evidence) -> Iterator[Finding]:
    """A set without validation images, an empty split."""
    for name, samples in e.index.splits.items():
        if not samples:
            yield Finding("error", "empty_split", name, "no images")
    if "valid" not in e.index.splits:
        detail = "no validation split: runs are not scored. edgectl data split makes one"
        yield Finding("note", "no_valid_split", "", detail)


def images_twice(e: Evidence) -> Iterator[Finding]:
    """Near-duplicates; across splits they leak what is to be predicted."""
    known = [f for f in e.facts if f.hash is not None and f.thumb is not None]
    if len(known) < 2:
        return
    hashes = np.array([f.hash for f in known], bool)
    thumbs = np.array([f.thumb for f in known], np.float32)
    for i, j in near_duplicates(hashes, thumbs):
        a, b = known[i], known[j]
        if a.split != b.split:
            detail = f"{a.split}/{a.path.name} is {b.split}/{b.path.name}: {b.split} scores what was seen"
            yield Finding("error", "leakage", str(b.path), detail)
        else:
            yield Finding(
                "warning", "near_duplicate", str(b.path), f"shows what {a.path.name} shows"
            )


def splits_alike(e: Evidence) -> Iterator[Finding]:
    """Validation images that differ from the training images in classes, sizes or light."""
    train = e.index.splits.get("train", ())
    for name, samples in e.index.splits.items():
        if name == "train" or not train or not samples:
            continue
        for what, ours, theirs in (
            ("classes", _class_shares(e, train), _class_shares(e, samples)),
            ("object sizes", _size_shares(train), _size_shares(samples)),
        ):
            if ours is None or theirs is None:
                continue
            apart = float(np.abs(ours - theirs).sum() / 2)
            if apart > _SHIFT:
                detail = (
                    f"{what} differ from train's: {apart:.0%} of the objects would have to change"
                )
                yield Finding("warning", "shift", name, detail)
        light = {
            s: [f.brightness for f in e.facts if f.split == s and f.size] for s in ("train", name)
        }
        if light["train"] and light[name]:
            gap = np.mean(light[name]) - np.mean(light["train"])
            spread = max(float(np.std(light["train"])), 5.0)
            if abs(gap) > _BRIGHTNESS_SHIFT * spread:
                detail = f"{abs(gap):.0f} of 255 {'brighter' if gap > 0 else 'darker'} than train"
                yield Finding("warning", "shift", name, detail)


def objects_large_enough(e: Evidence) -> Iterator[Finding]:
    """Objects that fall under one cell at the network's input size."""
    rows, columns = e.input_size
    for name, samples in e.index.splits.items():
        sides = [_sides_at_input(s, e.input_size) for s in samples if len(s.boxes_xyxy)]
        if not sides:
            continue
        side = np.concatenate(sides)
        share = float((side < e.cell).mean())
        if share > _TINY_SHARE:
            wanted = float(np.quantile(side, _TINY_SHARE))
            factor = e.cell / max(wanted, 1e-6)
            better = int(np.ceil(max(rows, columns) * factor / 32) * 32)
            detail = (
                f"{share:.0%} of the boxes are under {e.cell:g} pixels at {rows}x{columns}; "
                f"{better} would bring that to {_TINY_SHARE:.0%}"
            )
            yield Finding("warning", "tiny_objects", name, detail)


CHECKS: tuple[Check, ...] = (
    repaired_labels,
    images_decode,
    sizes_as_stated,
    boxes_twice,
    classes_used,
    classes_balanced,
    splits_present,
    images_twice,
    splits_alike,
    objects_large_enough,
)


def known_checks() -> Iterator[Check]:
    """Edgectl's own and those of plugins. Raises PluginError for code that cannot be imported."""
    for offer in installed().checks.offers:
        found = load_object(offer.info.entry, offer.plugin.name)
        yield from found if isinstance(found, tuple) else (found,)


def run_checks(evidence: Evidence) -> list[Finding]:
    """All findings: errors first, then warnings, then notes; each in the order of the checks."""
    order = {"error": 0, "warning": 1, "note": 2}
    found = [finding for check in known_checks() for finding in check(evidence)]
    return sorted(dict.fromkeys(found), key=lambda f: order[f.severity])


def _same_boxes(s: Sample) -> int:
    """Pairs of boxes of one class that overlap almost entirely."""
    boxes, labels = s.boxes_xyxy.astype(np.float64), s.labels
    if len(boxes) < 2:
        return 0
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    overlap = inter / (area[:, None] + area[None] - inter)
    same = (overlap > _SAME_BOX_IOU) & (labels[:, None] == labels[None])
    return int(np.triu(same, 1).sum())


def _class_counts(e: Evidence) -> Counter[str]:
    return Counter(e.index.classes[c] for _, s in e.samples() for c in s.class_labels())


def _spelt_alike(a: str, b: str) -> bool:
    """The same but for case, spaces and signs, or a slip of one letter in a long word."""
    plain_a, plain_b = ("".join(c for c in n.lower() if c.isalnum()) for n in (a, b))
    if plain_a == plain_b:
        return True
    long = min(len(plain_a), len(plain_b)) >= 5 and abs(len(plain_a) - len(plain_b)) <= 1
    digits = any(c.isdigit() for c in plain_a + plain_b)
    ratio = difflib.SequenceMatcher(None, plain_a, plain_b).ratio()
    return long and not digits and ratio >= _ALIKE


def _class_shares(e: Evidence, samples: Sequence[Sample]) -> np.ndarray | None:
    labels = np.concatenate([s.class_labels() for s in samples])
    if len(labels) < _MIN_SHIFT_OBJECTS or len(e.index.classes) > len(labels) / 8:
        return None  # too few to tell a shift from chance
    return np.bincount(labels, minlength=len(e.index.classes)) / len(labels)


def _size_shares(samples: Sequence[Sample]) -> np.ndarray | None:
    """Shares of small, medium and large objects, relative to the image."""
    relative = [
        np.sqrt(s.object_areas() / (s.width * s.height)) for s in samples if len(s.boxes_xyxy)
    ]
    if not relative or sum(map(len, relative)) < _MIN_SHIFT_OBJECTS:
        return None
    edges = np.digitize(np.concatenate(relative), [0.05, 0.2])
    return np.bincount(edges, minlength=3) / len(edges)


def _sides_at_input(s: Sample, size: Size) -> np.ndarray:
    scale = min(size[0] / s.height, size[1] / s.width)
    side: np.ndarray = np.sqrt(s.object_areas()) * scale
    return side
