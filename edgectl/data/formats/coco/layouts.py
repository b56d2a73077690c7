"""Where the annotation files of a COCO set lie, and the images of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgectl.data.formats.reading.json_files import is_coco, look_into
from edgectl.data.formats.reading.splits import is_split, split_name, split_of_stem
from edgectl.data.formats.reading.walking import files_in, folder_called, folders_in
from edgectl.errors import DataError

ROBOFLOW_FILE = "_annotations.coco.json"
_FEW = 16
_ANNOTATIONS = ("annotations", "annotation", "labels")


@dataclass(frozen=True)
class Part:
    """Attributes:
    split: it belongs to.
    file: the annotations.
    folders: where its images are looked for, in order.
    """

    split: str
    file: Path
    folders: tuple[Path, ...]


@dataclass(frozen=True)
class Layout:
    """``name`` is the format's, ``root`` the directory of the set."""

    name: str
    root: Path
    parts: tuple[Part, ...]


def is_layout(path: Path, name: str) -> bool:
    """Whether ``path`` is a COCO set of that format."""
    found = find_layout(path, strict=False)
    return found is not None and found.name == name


def find_layout(path: Path, *, strict: bool = True) -> Layout | None:
    """None where there is no COCO file.

    Raises:
        DataError: ``strict``, and two files for one split.
    """
    if path.is_file():
        return _of_file(path) if path.suffix.lower() == ".json" else None
    if not path.is_dir():
        return None
    roboflow = [f / ROBOFLOW_FILE for f in folders_in(path) if (f / ROBOFLOW_FILE).is_file()]
    if roboflow:
        parts = tuple(_part(split_name(f.parent.name), f.parent.name, f, path) for f in roboflow)
        return Layout("coco-roboflow", path, parts)
    files = _instances(path) or _any_coco(path)
    if not files:
        return None
    parts = tuple(_part(*_words(f, path), f, path) for f in files)
    if strict:
        _require_distinct(parts)
    first = files[0].stem.removeprefix("instances_")
    classic = files[0].stem.startswith("instances_") and (path / first).is_dir()
    return Layout("coco-2017" if classic else "coco", path, parts)


def _of_file(file: Path) -> Layout | None:
    document = look_into(file)
    if document is not None and not is_coco(document):
        return None
    beside = file.parent.name.lower() in _ANNOTATIONS
    root = file.parent.parent if beside else file.parent
    return Layout("coco-file", root, (_part(*_words(file, root), file, root),))


def _instances(root: Path) -> list[Path]:
    place = folder_called(root, *_ANNOTATIONS)
    found = [] if place is None else files_in(place, ".json")
    return [f for f in found if f.name.startswith("instances_")]


def _any_coco(root: Path) -> list[Path]:
    """COCO files of whatever name: in ``annotations``, beside the images, in each split's folder."""
    place = folder_called(root, *_ANNOTATIONS)
    for folders in ([place] if place is not None else [], [root], folders_in(root)):
        found = []
        for folder in folders:
            files = files_in(folder, ".json")
            # a set has a few; a folder full of them holds one an image
            found += [f for f in files[:_FEW] if is_coco(look_into(f))]
        if found:
            broken = [f for folder in folders for f in files_in(folder, ".json")[:_FEW]]
            return sorted({*found, *_broken(broken, found)})
    return []


def _broken(files: list[Path], good: list[Path]) -> set[Path]:
    """Files beside COCO files that should be some too: to be refused, not passed over."""
    known = {split_of_stem(f.stem) for f in good}
    broken = set()
    for file in files:
        document = look_into(file)
        split = split_of_stem(file.stem)
        if document is None or (not is_coco(document) and split and split not in known):
            broken.add(file)
    return broken


def _words(file: Path, root: Path) -> tuple[str, str]:
    """(split, the word that says so): the file's name, or its folder's."""
    bare = file.stem.removeprefix("instances_")
    if bare != file.stem and not is_split(bare):
        return split_of_stem(bare) or bare.removesuffix("2017"), bare
    split = split_of_stem(file.stem)
    if split is not None:
        return split, bare
    if file.parent != root and is_split(file.parent.name):
        return split_name(file.parent.name), file.parent.name
    return "train", bare


def _part(split: str, word: str, file: Path, root: Path) -> Part:
    images = folder_called(root, "images", "jpegimages", "imgs")
    same = [f.name for f in folders_in(root) if is_split(f.name) and split_name(f.name) == split]
    places = [file.parent, root / word, *(root / n for n in same)]
    if images is not None:
        inner = [f for f in folders_in(images) if is_split(f.name) and split_name(f.name) == split]
        places += [images / word, *inner, images / "default", images]
    places += [root / word / "images", *(root / n / "images" for n in same)]
    places += [file.parent / "images", root]
    if file.parent.name.lower() in _ANNOTATIONS:
        places.append(places.pop(0))
    there = [p for p in dict.fromkeys(places) if p.is_dir()]
    return Part(split, file, tuple(there or [root]))


def _require_distinct(parts: tuple[Part, ...]) -> None:
    """Two files may be one split only when each is called after one, as CVAT's Train and default."""
    seen: dict[str, Part] = {}
    for part in parts:
        other = seen.setdefault(part.split, part)
        if other is part or (split_of_stem(part.file.stem) and split_of_stem(other.file.stem)):
            continue
        raise DataError(
            f"two annotation files for the split '{part.split}': "
            f"{other.file.name} and {part.file.name}",
            where=str(part.file.parent),
            fix=f"name one of them, or call them after their splits: "
            f"{other.file.with_stem('instances_val').name}",
        )
