"""Where the XML files of a VOC set lie, which image each is for, and which split it belongs to.

The development kit has ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``; LabelImg writes beside the
images, Label Studio into ``Annotations`` and ``images``, Roboflow into a folder for each split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from edgectl.data.formats.reading.splits import is_split, split_name
from edgectl.data.formats.reading.walking import files_below, files_in, folder_called, folders_in
from edgectl.data.formats.reading.xml_files import FIX
from edgectl.errors import DataError

_UNIONS = frozenset({"trainval"})
"""Lists that repeat what other lists hold."""


@dataclass
class Entry:
    """Attributes:
    stem: the annotation's path without suffix, below its folder.
    split: it belongs to.
    xml: None where a list names an image without annotation.
    folders: where the image is looked for.
    """

    stem: str
    split: str
    xml: Path | None
    folders: tuple[Path, ...]


@dataclass
class Layout:
    """``unlisted``: annotations that no list names."""

    entries: list[Entry] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)


def is_voc(root: Path) -> bool:
    """Looks at names, and at the beginning of one file."""
    if not root.is_dir():
        return False
    annotations = folder_called(root, "annotations")
    if annotations is not None and _is_annotation(_first_xml(annotations)):
        return True
    return any(_is_annotation(_first_xml(f, deep=False)) for f in (root, *folders_in(root)))


def _first_xml(folder: Path, *, deep: bool = True) -> Path | None:
    files = files_below(folder) if deep else iter(files_in(folder, ".xml"))
    return next((p for p in files if p.suffix.lower() == ".xml"), None)


def _is_annotation(file: Path | None) -> bool:
    """CVAT's own XML has a root called ``annotations``."""
    if file is None:
        return False
    with file.open("rb") as f:
        head = f.read(4096)
    return b"<annotations" not in head


def find_layout(root: Path) -> Layout:
    """Raises DataError: a list that cannot be read."""
    annotations = folder_called(root, "annotations")
    if annotations is not None and _first_xml(annotations) is not None:
        return _development_kit(root, annotations)
    parts = [(f, split_name(f.name)) for f in folders_in(root) if is_split(f.name)]
    parts = [p for p in parts if _first_xml(p[0]) is not None]
    if not parts:
        parts = [(root, "train")]
    layout = Layout()
    for folder, split in parts:
        for xml in files_below(folder):
            if xml.suffix.lower() == ".xml":
                stem = xml.relative_to(folder).with_suffix("").as_posix()
                layout.entries.append(Entry(stem, split, xml, (xml.parent, folder, root)))
    return layout


def _development_kit(root: Path, annotations: Path) -> Layout:
    found = {
        p.relative_to(annotations).with_suffix("").as_posix(): p
        for p in files_below(annotations)
        if p.suffix.lower() == ".xml"
    }
    images = folder_called(root, "jpegimages", "images", "imgs", "jpgimages") or root
    layout = Layout()
    listed: set[str] = set()
    for split, stems in _split_lists(root, found).items():
        for stem in stems:
            listed.add(stem)
            layout.entries.append(Entry(stem, split, found.get(stem), _places(images, stem)))
    layout.unlisted = sorted(found.keys() - listed)
    return layout


def _places(images: Path, stem: str) -> tuple[Path, ...]:
    inner = images / Path(stem).parent
    return (images,) if inner == images else (inner, images)


def _split_lists(root: Path, found: dict[str, Path]) -> dict[str, list[str]]:
    sets = folder_called(root, "imagesets")
    main = None if sets is None else folder_called(sets, "main")
    lists: dict[str, list[str]] = {}
    for file in [] if main is None else files_in(main, ".txt"):
        # VOC's own per-class lists are called <class>_<split>
        if "_" not in file.stem and file.stem not in _UNIONS:
            stems = [_stem(line, found) for line in _lines(file) if line.split()]
            if stems:
                lists.setdefault(split_name(file.stem), []).extend(stems)
    if lists:
        return lists
    folders = Counter(s.split("/")[0] for s in found if "/" in s)
    if folders and all(is_split(f) for f in folders) and folders.total() == len(found):
        for stem in found:
            lists.setdefault(split_name(stem.split("/")[0]), []).append(stem)
        return lists
    return {"train": list(found)}


def _stem(line: str, known: Collection[str]) -> str:
    """A name may hold spaces; what follows one is otherwise a flag."""
    text = line.strip()
    for word in (text, text.split()[0]):
        if word in known:
            return word
        bare = str(Path(word).with_suffix(""))
        if bare in known:
            return bare
    return text.split()[0]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"cannot be read: {e}", where=str(path), fix=FIX) from e
