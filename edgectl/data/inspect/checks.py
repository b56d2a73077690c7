"""What can be wrong with a data set: one small function a fault, in a table.

Each takes the evidence and yields findings. A new check is a function and a line in :data:`CHECKS`;
plugins register theirs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.class_names import find_similar_names
from edgectl.data.inspect.copies import find_copies
from edgectl.data.inspect.findings import Finding, Severity
from edgectl.data.inspect.groups import group_copies
from edgectl.data.inspect.same_boxes import find_same_boxes
from edgectl.data.inspect.survey import BLANK, ImageFacts
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

_IMBALANCE = 20.0
_FEW = 20
_SHIFT = 0.25
_MIN_SHIFT_OBJECTS = 30
_BRIGHTNESS_SHIFT = 1.0
_TINY_SHARE = 0.1
_NAMED = 100
"""Findings of one kind, about one file or about classes; the rest is one more finding that counts them."""


@dataclass(frozen=True)
class Evidence:
    """Attributes:
    index: read with tolerance.
    facts: of every image.
    input_size: of the network in mind, (height, width).
    cell: smallest object side it can be expected to find, in network pixels.
    compared: called once an image that is compared with the others.
    """

    index: DatasetIndex
    facts: Sequence[ImageFacts]
    input_size: Size
    cell: float
    compared: Callable[[], None] = lambda: None

    def samples(self) -> Iterator[tuple[str, Sample]]:
        """Every sample with its split."""
        return ((n, s) for n, samples in self.index.splits.items() for s in samples)


Check = Callable[[Evidence], Iterator[Finding]]


def repaired_labels(e: Evidence) -> Iterator[Finding]:
    """What the reader left out or clipped."""
    details: dict[tuple[str, str], list[str]] = defaultdict(list)
    for repair in e.index.repairs:
        details[repair.kind, repair.file].append(repair.detail)
    for (kind, file), found in details.items():
        yield from _limited(_REPAIRS.get(kind, "note"), kind, file, found, "{}")


def images_decode(e: Evidence) -> Iterator[Finding]:
    """Truncated files, files that are no images, blank ones."""
    for f in e.facts:
        if f.problem:
            yield Finding("error", "unreadable_image", str(f.path), f.problem)
        elif f.spread < BLANK:
            detail = f"blank: all values within {f.spread:.1f} of {f.brightness:.0f}"
            yield Finding("warning", "blank_image", str(f.path), detail)


def values_as_stored(e: Evidence) -> Iterator[Finding]:
    """16-bit values and transparency: a device's camera has neither."""
    for f in e.facts:
        if f.note:
            yield Finding("note", "values_changed", str(f.path), f.note)


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
        again = int(find_same_boxes(s.boxes_xyxy, s.labels).sum())
        if again:
            detail = f"{again} boxes lie on others of their class"
            yield Finding("warning", "duplicate_box", str(s.path), detail)


def classes_used(e: Evidence) -> Iterator[Finding]:
    """Classes without an object; names that look like one another."""
    counts = _class_counts(e)
    unused = [name for name in e.index.classes if not counts[name]]
    yield from _limited("warning", "unused_class", "", unused, "'{}' has no object in any split")
    alike = []
    for name, other in find_similar_names(e.index.classes):
        rare, common = sorted((name, other), key=lambda n: counts[n])
        alike.append(f"'{rare}' ({counts[rare]} objects): is '{common}' ({counts[common]}) meant?")
    yield from _limited("warning", "similar_classes", "", alike, "{}")


def classes_balanced(e: Evidence) -> Iterator[Finding]:
    """Classes with far fewer objects than the largest, in *train*."""
    train = e.index.splits.get("train", ())
    counts = Counter(e.index.classes[c] for s in train for c in s.class_labels())
    if not counts:
        return
    largest, most = counts.most_common(1)[0]
    few, apart = [], []
    for name, count in sorted(counts.items()):
        if count < _FEW:
            few.append(f"'{name}' has {count} objects")
        elif most > _IMBALANCE * count:
            apart.append(f"'{largest}' {most} objects, '{name}' {count}: {most / count:.0f} to 1")
    yield from _limited("note", "few_examples", "train", few, "{}")
    yield from _limited("warning", "imbalance", "train", apart, "{}")


def splits_present(e: Evidence) -> Iterator[Finding]:
    """A set without validation images, an empty split."""
    for name, samples in e.index.splits.items():
        if not samples:
            yield Finding("error", "empty_split", name, "no images")
    if "valid" not in e.index.splits:
        detail = (
            "no split 'valid': train makes one of a part of 'train'; edgectl data split fixes it"
        )
        yield Finding("note", "no_valid_split", "", detail)


def images_twice(e: Evidence) -> Iterator[Finding]:
    """Near-duplicates; across splits they leak what is to be predicted."""
    known = [f for f in e.facts if f.fingerprint is not None]
    prints = [f.fingerprint for f in known if f.fingerprint is not None]
    yield from find_copies(known, group_copies(prints, e.compared))


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
    values_as_stored,
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


def _limited(
    severity: Severity, kind: str, file: str, items: Sequence[str], words: str
) -> Iterator[Finding]:
    """A finding an item, up to :data:`_NAMED` of them."""
    for item in items[:_NAMED]:
        yield Finding(severity, kind, file, words.format(item))
    if len(items) > _NAMED:
        detail = f"{len(items) - _NAMED:,} more of these, the last: {words.format(items[-1])}"
        yield Finding(severity, kind, file, detail)


def _class_counts(e: Evidence) -> Counter[str]:
    counts = np.zeros(len(e.index.classes), np.int64)
    for _, s in e.samples():
        np.add.at(counts, s.class_labels(), 1)
    return Counter({n: int(c) for n, c in zip(e.index.classes, counts, strict=True) if c})


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
