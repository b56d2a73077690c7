"""A folder a class: ``<class>/*.jpg``, or ``<split>/<class>/*.jpg``.

The layout of torchvision's ``ImageFolder`` (https://docs.pytorch.org/vision/stable/generated/
torchvision.datasets.ImageFolder.html): classes are the folder names in plain string order, images
may lie deeper. Where there is no validation split one is made, the same one every time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.formats.reading.splits import is_split, split_name
from edgectl.data.formats.reading.walking import (
    UNREAD_IMAGES,
    files_below,
    files_in,
    folders_in,
    has_images,
)
from edgectl.data.index import IMAGE_SUFFIXES, DatasetIndex, Repair
from edgectl.errors import DataError
from edgectl.labels import Sample

VALID_SHARE = 0.2
SPLIT_SEED = 0
_LABEL_SUFFIXES = frozenset({".txt", ".xml", ".json"})
_LOOKED_AT = 1000

_MARKS = frozenset(
    {
        "data.yaml",
        "dataset.yaml",
        "obj.data",
        "classes.txt",
        "_annotations.coco.json",
        "result.json",
    }
    | {"annotations.xml", "bounding_boxes.labels", "annotations.csv", "_annotations.csv"}
)
_OF_OTHER_FORMATS = frozenset(
    {"images", "labels", "annotations", "jpegimages", "imagesets", "image_2", "label_2"}
)


def split_folders(root: Path) -> dict[str, Path]:
    """Split -> the folder its class folders lie in; empty where this is not the layout.

    Folders are splits when all of them are called like one: a class may be called ``train`` too.
    """
    names = {f.name.lower() for f in folders_in(root)}
    if not names or names & _OF_OTHER_FORMATS:
        return {}
    if not all(map(is_split, names)):
        return {"train": root} if _holds_classes(root) else {}
    return {split_name(f.name): f for f in folders_in(root) if _holds_classes(f)}


def is_folder(root: Path) -> bool:
    """Class folders, and nothing that says the images hold objects."""
    return (
        root.is_dir()
        and bool(split_folders(root))
        and inner_set(root) is None
        and labels_beside(root) is None
    )


def inner_set(root: Path) -> Path | None:
    """A folder that holds a set with label files, as it lies in an archive: no class of images."""
    for folder in folders_in(root):
        names = {f.name.lower() for f in folders_in(folder)}
        if names & _OF_OTHER_FORMATS or any((folder / n).is_file() for n in _MARKS):
            return folder
    return None


def labels_beside(root: Path) -> Path | None:
    """A label file with the stem of an image, in ``root`` or one or two folders below: then these are
    objects, and no folder is a class."""
    stems: dict[str, Path] = {}
    images = set()
    for folder in (root, *folders_in(root), *(g for f in folders_in(root) for g in folders_in(f))):
        for file in files_in(folder)[:_LOOKED_AT]:
            if file.suffix.lower() in _LABEL_SUFFIXES:
                stems[file.stem] = file
            elif file.suffix.lower() in IMAGE_SUFFIXES | UNREAD_IMAGES:
                images.add(file.stem)
    both = sorted(images & stems.keys())
    return stems[both[0]] if both else None


def read_folder(root: Path) -> DatasetIndex:
    """Reads names only; an image is first opened when it is used.

    An empty class folder is left out with a word. Without a validation split a share of
    :data:`VALID_SHARE` of every class is taken from *train*; a class of one image keeps it.

    Raises:
        DataError: two folders for the same split.
    """
    splits = split_folders(root)
    if root not in splits.values() and len(splits) < sum(map(_holds_classes, folders_in(root))):
        raise DataError("two folders for one split", where=str(root), fix="keep one of them")
    found = {split: _by_class(folder) for split, folder in splits.items()}
    named = sorted({name for classes in found.values() for name in classes})
    classes = tuple(n for n in named if any(c.get(n) for c in found.values()))
    repairs = [
        Repair("empty_class", name, "no images: left out") for name in named if name not in classes
    ]
    repairs += _unread(splits)
    repairs += [
        Repair("unlabelled_split", f.name, "images in no class folder: the split is left out")
        for f in folders_in(root)
        if root not in splits.values() and split_name(f.name) not in splits and has_images(f)
    ]
    made = {}
    if "train" in found and "valid" not in found:
        found["valid"] = _make_valid(found["train"])
        made["valid"] = f"{VALID_SHARE:.0%} of every class of train, seed {SPLIT_SEED}"
    for name in classes if "train" in found else ():
        count = len(found["train"].get(name, ()))
        if count < 2:
            repairs.append(Repair("few_images", name, f"{count} images in train"))
    samples = {
        split: tuple(_sample(p, i) for i, n in enumerate(classes) for p in images.get(n, ()))
        for split, images in found.items()
    }
    return DatasetIndex(root.resolve().name, root, "folder", classes, samples, repairs, made)


def _unread(splits: dict[str, Path]) -> list[Repair]:
    """Images of a suffix that is not read: each is a label lost."""
    repairs = []
    for split, folder in splits.items():
        for place in folders_in(folder):
            left = [p for p in files_below(place) if p.suffix.lower() in UNREAD_IMAGES]
            if left:
                detail = f"{len(left)} images of a kind that is not read"
                count = len(left)
                name = left[0].name
                repairs.append(
                    Repair("unread_image", name, detail, count, count, split, place.name)
                )
    return repairs


def _make_valid(train: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Moves images out of ``train``, chosen by a hash of their names: adding or removing some
    leaves nearly all others where they were."""
    valid: dict[str, list[Path]] = {}
    for name, images in train.items():
        count = min(max(1, round(VALID_SHARE * len(images))), len(images) - 1)
        chosen = set(sorted(images, key=_rank)[: max(count, 0)])
        valid[name] = [p for p in images if p in chosen]
        train[name] = [p for p in images if p not in chosen]
    return valid


def _rank(image: Path) -> str:
    key = f"{SPLIT_SEED}/{image.parent.name}/{image.name}"
    return hashlib.sha256(key.encode()).hexdigest()


def _sample(image: Path, label: int) -> Sample:
    nothing = np.zeros(0, np.int64)
    return Sample(
        image,
        0,
        0,
        np.zeros((0, 4), np.float32),
        nothing,
        nothing.astype(bool),
        image_label=label,
    )


def _by_class(folder: Path) -> dict[str, list[Path]]:
    return {f.name: sorted(_images(f)) for f in folders_in(folder)}


def _holds_classes(folder: Path) -> bool:
    return any(next(_images(f), None) is not None for f in folders_in(folder))


def _images(folder: Path) -> Iterator[Path]:
    return (p for p in files_below(folder) if p.suffix.lower() in IMAGE_SUFFIXES)


def write_folder(index: DatasetIndex, directory: Path, copies: ImageCopies) -> None:
    """``<split>/<class>/*``; classes without images in a split get no folder there."""
    for split, samples in index.splits.items():
        for sample in samples:
            assert sample.image_label is not None
            copies.add(sample, directory / split / index.classes[sample.image_label])
