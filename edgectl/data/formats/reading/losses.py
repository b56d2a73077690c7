"""Labels that a reader left out: a few are a warning, more than that are an error.

Every reader notes what it leaves out in ``DatasetIndex.repairs``, with counts. One rule looks at them, for
``info``, ``check`` and ``train`` alike: a network trained on the rest would be taken for one trained on all.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from edgectl.data.formats.tolerance import refuse
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

LARGEST_SHARE = 0.05
"""Share of all labels, or of all images."""

_CHECK = "edgectl data check DATA --fix DIRECTORY writes a copy without them"
_REMEDIES = {
    "zero_size_box": f"correct them, or: {_CHECK}",
    "box_outside": "are these numbers pixels of another size of the image, or of another image? "
    f"Export images and labels together, or: {_CHECK}",
    "orphan_label": "put the images where their labels are looked for, or remove the label files",
    "missing_label": "put the label files where the format has them, or remove the images",
    "unread_image": "convert the images to PNG or JPEG",
    "empty_class": "put images into the folder, or remove it",
}


def require_kept(index: DatasetIndex) -> None:
    """Raises DataError, or notes it where the reader is tolerant, when more than
    :data:`LARGEST_SHARE` of the labels are lost, all of a split, or all of a class."""
    for error in (_labels_lost(index), _images_lost(index), _only_crowd(index)):
        if error is not None:
            refuse(error, index.repairs, "labels_lost", error.where or "")


def require_one_labelling(index: DatasetIndex) -> None:
    """Raises DataError, or notes it, when one image has two sets of boxes: entries of two splits whose
    files were written over one another, or names that fell together."""
    seen: dict[Path, tuple[str, Sample]] = {}
    for split, samples in index.splits.items():
        for sample in samples:
            other_split, other = seen.setdefault(sample.path, (split, sample))
            if other is sample or (
                np.array_equal(other.boxes_xyxy, sample.boxes_xyxy)
                and np.array_equal(other.labels, sample.labels)
                and other.image_label == sample.image_label
            ):
                continue
            places = (
                f"'{other_split}' and '{split}'" if split != other_split else f"'{split}' twice"
            )
            error = DataError(
                f"{sample.path.name} is in {places}, with other labels",
                where=str(sample.path),
                fix="export again so that every image has a file of its own, as with a folder for each split",
            )
            refuse(error, index.repairs, "shared_image", sample.path.name, split=split)
            return


def _labels_lost(index: DatasetIndex) -> DataError | None:
    lost = [r for r in index.repairs if r.lost]
    if not lost:
        return None
    of_split, of_class = _kept(index)
    gone, kept = sum(r.lost for r in lost), of_split.total()
    part = f"{gone} of {gone + kept} labels"
    cause = lost
    if gone <= LARGEST_SHARE * (gone + kept):
        splits = {r.split for r in lost if r.split in index.splits and not of_split[r.split]}
        names = {r.name for r in lost if r.name in index.classes and not of_class[r.name]}
        if splits:
            part = f"all labels of the split '{min(splits)}'"
            cause = [r for r in lost if r.split == min(splits)]
        elif names:
            part = f"all labels of the class '{min(names)}'"
            cause = [r for r in lost if r.name == min(names)]
        else:
            return None
    return _error(index, f"{part} would be left out", cause)


def _images_lost(index: DatasetIndex) -> DataError | None:
    unread = [r for r in index.repairs if r.kind == "unread_image"]
    gone, kept = sum(r.count for r in unread), sum(map(len, index.splits.values()))
    if gone <= LARGEST_SHARE * (gone + kept):
        return None
    return _error(index, f"{gone} of {gone + kept} images would be left out", unread)


def _only_crowd(index: DatasetIndex) -> DataError | None:
    samples = index.splits.get("train", ())
    crowd = sum(int(s.crowd.sum()) for s in samples)
    if not crowd or any((~s.crowd).any() or s.image_label is not None for s in samples):
        return None
    return DataError(
        f"all {crowd} objects of 'train' are crowd regions or difficult: nothing to learn",
        where=str(index.root),
        fix="export the objects one by one, or set iscrowd (VOC: difficult) to 0",
    )


def _kept(index: DatasetIndex) -> tuple[Counter[str], Counter[str]]:
    """Labels of each split, and of each class; crowd regions are no labels."""
    of_split: Counter[str] = Counter()
    of_label: Counter[int] = Counter()
    for split, samples in index.splits.items():
        for s in samples:
            own = s.labels[~s.crowd] if s.image_label is None else s.class_labels()
            of_split[split] += len(own)
            of_label.update(own.tolist())
    return of_split, Counter({index.classes[i]: n for i, n in of_label.items()})


def _error(index: DatasetIndex, what: str, cause: list[Repair]) -> DataError:
    kinds: Counter[str] = Counter()
    for r in cause:
        kinds[r.kind] += max(r.lost, r.count)
    kind = kinds.most_common(1)[0][0]
    first = next(r for r in cause if r.kind == kind)
    return DataError(
        f"{what}, most for {kind.replace('_', ' ')}; the first: {first.file}: {first.detail}",
        where=str(index.root),
        fix=_REMEDIES.get(kind, f"correct the labels, or: {_CHECK}"),
    )
