"""Where a YOLO set says what its classes and splits are: ``data.yaml``, ``obj.data``, or ``classes.txt``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from edgectl.data.formats.reading.finder import ImageFinder
from edgectl.data.formats.reading.options import read_options
from edgectl.data.formats.reading.splits import split_name
from edgectl.data.formats.reading.walking import (
    UNREAD_IMAGES,
    files_below,
    folder_called,
    folders_in,
    has_images,
    images_below,
)
from edgectl.data.formats.reading.yaml_words import NOTHING, read_yaml
from edgectl.data.formats.yolo.labels import read_text
from edgectl.data.index import IMAGE_SUFFIXES, Repair
from edgectl.errors import DataError

FIX = "correct the file, or export the labels again"
_DESCRIPTIONS = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_CLASS_LISTS = ("classes.txt", "obj.names", "classes.names", "_darknet.labels")
_SPLIT_KEYS = ("train", "val", "valid", "validation", "test")
_LONGEST_NAME = 255
_DRIVE = re.compile(r"^[A-Za-z]:(?=[\\/])")


@dataclass
class Layout:
    """What a set's own files say of it.

    Attributes:
        file: that says it, for errors.
        root: directory of the set.
        classes: names in label order.
        splits: split -> images.
        folders: split -> folders that were taken whole: label files in them without an image are lost.
        unread: split -> images of a suffix that is not read.
    key_points: numbers of a line's key points, None where nothing says.
        repairs: what was left out so far.
    """

    file: Path
    root: Path
    classes: tuple[str, ...]
    splits: dict[str, list[Path]] = field(default_factory=dict)
    folders: dict[str, list[Path]] = field(default_factory=dict)
    key_points: int | None = None
    unread: dict[str, list[Path]] = field(default_factory=dict)
    repairs: list[Repair] = field(default_factory=list)

    def add(self, split: str, place: Path) -> None:
        """Images of a folder."""
        self.folders.setdefault(split, []).append(place)
        images = self.splits.setdefault(split, [])
        for path in files_below(place):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                images.append(path)
            elif path.suffix.lower() in UNREAD_IMAGES:
                self.unread.setdefault(split, []).append(path)


def is_yolo(path: Path) -> bool:
    """Looks at names only."""
    if path.is_file():
        return path.suffix in (".yaml", ".yml") or path.name == "obj.data"
    return _description_of(path) is not None or _class_list(path) is not None


def find_layout(path: Path) -> Layout:
    """Raises DataError: no names, no splits, absent folders, YAML that is none."""
    if path.is_file():
        return _read_darknet(path) if path.suffix == ".data" else _read_description(path)
    description = _description_of(path)
    if description is not None:
        return (
            _read_darknet(description)
            if description.suffix == ".data"
            else (_read_description(description))
        )
    names = _class_list(path)
    assert names is not None
    return _read_bare(path, names)


def _description_of(root: Path) -> Path | None:
    if not root.is_dir():
        return None
    found = [root / n for n in (*_DESCRIPTIONS, "obj.data") if (root / n).is_file()]
    return found[0] if found else None


def _class_list(root: Path) -> Path | None:
    """``classes.txt`` of a set whose label files are text files."""
    if not root.is_dir():
        return None
    for place in (root, root / "labels", root / "train"):
        for name in _CLASS_LISTS:
            if (place / name).is_file() and _has_labels(root):
                return place / name
    return None


def _has_labels(root: Path) -> bool:
    others = {*_CLASS_LISTS, "train.txt", "val.txt", "valid.txt", "test.txt"}
    labels = folder_called(root, "labels")
    if labels is not None:
        return any(p.suffix == ".txt" for p in files_below(labels))
    texts = {p.stem for p in files_below(root) if p.suffix == ".txt" and p.name not in others}
    return any(p.stem in texts for p in files_below(root) if p.suffix.lower() in IMAGE_SUFFIXES)


def _read_description(file: Path) -> Layout:
    document = read_yaml(file, FIX)
    layout = Layout(file, file.parent, ())
    layout.classes = _names(document, file, layout)
    layout.key_points = _key_points(document, file)
    entries = {k: document[k] for k in _SPLIT_KEYS if _is_stated(document.get(k))}
    _require_known(document, layout)
    for key, entry in entries.items():
        try:
            _add_entry(layout, document, key, entry)
        except OSError as e:
            raise DataError(f"{key}: {e.strerror}", where=str(file), fix=FIX) from e
    if not layout.splits:
        if entries:
            raise DataError(
                "no folder of a split is there", where=str(file), fix="correct the path"
            )
        _add_usual_places(layout)
    if not layout.splits:
        raise DataError("no split (train, val, test) is named", where=str(file), fix=FIX)
    return layout


def _require_known(document: dict[str, Any], layout: Layout) -> None:
    """Raises DataError for a folder of images under a key that is no split: its labels would be lost."""
    for key, entry in document.items():
        if key in (*_SPLIT_KEYS, "path", "nc") or not isinstance(entry, str) or entry in NOTHING:
            continue
        if max(map(len, entry.replace("\\", "/").split("/"))) > _LONGEST_NAME:
            continue
        place = _place(entry, layout.root, layout.root)
        if place is None or not place.is_dir() or place == layout.root:
            continue
        if next(iter(images_below(place)), None) is not None:
            raise DataError(
                f"'{key}' names a folder of images, and is no split",
                where=str(layout.file),
                fix="call it train, val or test, or remove the line",
            )


def _is_stated(entry: Any) -> bool:
    return bool(entry) and not (isinstance(entry, str) and entry in NOTHING)


def _names(document: dict[str, Any], file: Path, layout: Layout) -> tuple[str, ...]:
    names = document.get("names")
    if isinstance(names, dict):
        numbered = {int(k): v for k, v in names.items() if str(k).strip().isdecimal()}
        if len(numbered) < len(names):
            raise DataError("names: a key that is no number", where=str(file), fix=FIX)
        if numbered and 0 not in numbered:
            raise DataError(
                f"names begin at {min(numbered)}: 0 is missing, and YOLO counts classes from 0",
                where=str(file),
                fix="number the names from 0, as the labels do",
            )
        missing = next((i for i in range(len(numbered)) if i not in numbered), None)
        if missing is not None:
            raise DataError(f"names: {missing} is missing", where=str(file), fix=FIX)
        names = [numbered[i] for i in range(len(numbered))]
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise DataError("no list 'names'", where=str(file), fix=FIX)
    stated = document.get("nc")
    if isinstance(stated, str) and stated not in NOTHING and stated != str(len(names)):
        detail = f"nc is {stated[:20]}, and there are {len(names)} names: the names count"
        layout.repairs.append(Repair("class_count", file.name, detail))
    return _distinct(names, file)


def _distinct(names: list[str], file: Path) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        twice = next(n for i, n in enumerate(names) if n in names[:i])
        raise DataError(f"a class twice: '{twice[:80]}'", where=str(file), fix=FIX)
    return tuple(names)


def _key_points(document: dict[str, Any], file: Path) -> int | None:
    shape = document.get("kpt_shape")
    if not _is_stated(shape):
        return None
    try:
        points, numbers = (int(v) for v in shape or ())
    except (TypeError, ValueError) as e:
        raise DataError("kpt_shape is not [points, numbers]", where=str(file), fix=FIX) from e
    return points * numbers


def _add_entry(layout: Layout, document: dict[str, Any], key: str, entry: Any) -> None:
    file, root, split = layout.file, layout.root, split_name(key)
    stated = document.get("path")
    base = root / (stated if isinstance(stated, str) and stated not in NOTHING else ".")
    if not base.is_dir():  # exports keep the path of the machine they were made on
        base = root
    for part in entry if isinstance(entry, list) else [entry]:
        place = _place(str(part), base, root)
        if place is None:
            if split == "test":
                detail = f"'{part}' is not there: the split is left out"
                layout.repairs.append(Repair("absent_split", file.name, detail, split=split))
                continue
            raise DataError(
                f"'{part}' is not there",
                where=str(file),
                fix=f"correct the path, or remove the line '{key}'",
            )
        if place.is_dir():
            layout.add(split, place)
        else:
            _add_list(layout, split, place, base)
    if split in layout.splits and not layout.splits[split] and not layout.repairs:
        raise DataError(f"no images in '{entry}'", where=str(file), fix="correct the path")


def _place(name: str, base: Path, root: Path) -> Path | None:
    """Find a folder or list: as it is named, or the longest tail of the name that is there."""
    plain = _DRIVE.sub("", name.replace("\\", "/"))
    tried = [base / name, root / name, base / plain, root / plain]
    parts = [p for p in PurePosixPath(plain).parts if p not in ("/", "..", ".")]
    tried += [b / Path(*parts[i:]) for i in range(len(parts)) for b in (base, root)]
    return next((p for p in tried if p.exists()), None)


def _add_list(layout: Layout, split: str, listing: Path, base: Path) -> None:
    """Images named in a text file; of another machine's names the tails count."""
    finder = ImageFinder(layout.root)
    images = layout.splits.setdefault(split, [])
    for line in read_text(listing, FIX).splitlines():
        name = line.strip()
        if not name:
            continue
        direct = (listing.parent / name, base / name)
        found = next((p for p in direct if p.is_file()), None)
        found = found or finder.find(name, [layout.root], str(listing))
        if found is None:
            raise DataError(
                f"'{name}' is absent{_lost_link(listing.parent / name)}",
                where=str(listing),
                fix="correct the list, or name the images' folder with --set data.images=DIR",
            )
        images.append(found)


def _lost_link(path: Path) -> str:
    """In words, where a link to a folder has been copied as a file that holds its target."""
    file = next((p for p in path.parents if p.is_file()), None)
    return "" if file is None else f": '{file.name}' is a file, a link that was not kept as one"


def _add_usual_places(layout: Layout) -> None:
    """``images/<split>``, ``<split>/images``, ``<split>`` or ``images``, when nothing names them."""
    root = read_options().images or layout.root
    images = folder_called(root, "images", "jpegimages") or root
    for parent in dict.fromkeys((images, root)):
        for place in folders_in(parent):
            split = split_name(place.name)
            if split in ("train", "valid", "test") and (
                next(iter(files_below(place)), None) is not None
            ):
                layout.add(split, place)
        if layout.splits:
            return
    if has_images(images) or any(has_images(p) for p in folders_in(images)):
        layout.add("train", images)


def _read_darknet(file: Path) -> Layout:
    """``obj.data``: lines ``key = value``; ``names`` is a list of classes, ``train`` a list of images."""
    lines = (line.partition("=") for line in read_text(file, FIX).splitlines())
    entries = {k.strip().lower(): v.strip() for k, eq, v in lines if eq}
    root = file.parent
    names = _place(entries.get("names", "obj.names"), root, root)
    if names is None or not names.is_file():
        raise DataError("the list of names is not there", where=str(file), fix=FIX)
    layout = Layout(file, root, _listed_classes(names))
    for key in _SPLIT_KEYS:
        if entries.get(key):
            _add_entry(layout, {}, key, entries[key])
    if not layout.splits:
        raise DataError("no split (train, valid) is named", where=str(file), fix=FIX)
    return layout


def _listed_classes(file: Path) -> tuple[str, ...]:
    names = [line.strip() for line in read_text(file, FIX).splitlines()]
    names = [n for n in names if n]
    if not names:
        raise DataError("no class in it", where=str(file), fix="a class a line")
    return _distinct(names, file)


def _read_bare(root: Path, names: Path) -> Layout:
    """LabelImg beside the images, or Label Studio's ``images``, ``labels`` and ``classes.txt``."""
    layout = Layout(names, root, _listed_classes(names))
    _add_usual_places(layout)
    if not any(layout.splits.values()):
        raise DataError(
            f"a YOLO export without images: {names.name} and label files, and no image beside them",
            where=str(root),
            fix=f"put the images into {root / 'images'}, named as the label files (decoded, where "
            "these are percent-encoded), or name their folder with --set data.images=DIR",
        )
    return layout
