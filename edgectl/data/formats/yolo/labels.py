"""Which label file belongs to which image, and which belong to none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from edgectl.data.formats.reading.walking import files_below
from edgectl.errors import DataError

_NO_LABELS = frozenset(
    {"classes", "obj", "train", "val", "valid", "test", "labels", "predefined_classes", "readme"}
)
"""Stems of text files that stand among label files and are none."""


def label_file(image: Path) -> Path:
    """``images/a/b.jpg`` to ``labels/a/b.txt``; beside the image where there is no ``images``."""
    parts = list(image.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i].lower() == "images":
            parts[i] = "labels" if parts[i] == "images" else "Labels"
            break
    return Path(*parts).with_suffix(".txt")


class LabelFiles:
    """Finds label files, and remembers which were found."""

    def __init__(self) -> None:
        self._owner: dict[Path, Path] = {}
        self._decoded: dict[Path, dict[str, Path]] = {}
        self.shared: list[tuple[Path, Path, Path]] = []
        """(label file, image, other image): two images have one label file."""

    def of(self, image: Path) -> Path | None:
        """In ``labels``, or beside the image; a name may be percent-encoded."""
        wanted = label_file(image)
        beside = image.with_suffix(".txt")
        found = next((p for p in (wanted, beside) if p.is_file()), None)
        if found is None:
            found = self._by_decoded_stem(wanted)
        if found is None:
            return None
        other = self._owner.setdefault(found, image)
        if other != image:
            self.shared.append((found, other, image))
        return found

    def _by_decoded_stem(self, wanted: Path) -> Path | None:
        """Label Studio encodes the names of label files, not those of images."""
        folder = wanted.parent
        if folder not in self._decoded:
            there = folder.glob("*.txt") if folder.is_dir() else ()
            self._decoded[folder] = {unquote(p.stem): p for p in there if "%" in p.stem}
        return self._decoded[folder].get(wanted.stem)

    def found(self) -> Iterable[Path]:
        """Label files that belong to an image."""
        return self._owner.keys()

    def without_image(self, folders: Iterable[Path]) -> list[Path]:
        """Label files in and under the folders of images, and in their ``labels``, of no image."""
        places = {p for f in folders for p in (f, label_file(f / "x.jpg").parent)}
        found = {
            p
            for place in places
            if place.is_dir()
            for p in files_below(place)
            if p.suffix == ".txt" and p.stem.lower() not in _NO_LABELS
        }
        return sorted(found - self._owner.keys())


def unlisted(labels: LabelFiles, root: Path, counted: Iterable[Path]) -> list[Path]:
    """Label files in folders ``labels`` of the set that no split has reached."""
    known = {*labels.found(), *counted}
    return [
        p
        for p in files_below(root)
        if p.suffix == ".txt"
        and p.stem.lower() not in _NO_LABELS
        and any(part.lower() == "labels" for part in p.relative_to(root).parts[:-1])
        and p not in known
    ]


def read_text(path: Path, fix: str) -> str:
    """Raises DataError for a file that is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"cannot be read: {e}", where=str(path), fix=fix) from e
