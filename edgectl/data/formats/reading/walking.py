"""Files of a set that a person would count: no hidden ones, none that a system left behind.

``._a.jpg`` and ``__MACOSX`` come from macOS, ``.ipynb_checkpoints`` from notebooks, ``@eaDir`` from
network disks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from edgectl.data.index import IMAGE_SUFFIXES

_LEFT_BEHIND = frozenset({"__macosx", "@eadir", "thumbs.db", "desktop.ini", "$recycle.bin"})
UNREAD_IMAGES = (
    frozenset({".tif", ".tiff", ".heic", ".heif", ".avif", ".gif", ".jp2", ".jxl", ".psd"})
    | frozenset({".dng", ".cr2", ".nef", ".arw", ".pgm", ".ppm", ".dcm"})
) - IMAGE_SUFFIXES
"""Images by their suffix, which are not read: to be counted, not passed over."""


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name belongs to a set."""
    return not name.startswith(".") and name.lower() not in _LEFT_BEHIND


def files_below(root: Path) -> Iterator[Path]:
    """Visible files in and under ``root``, sorted by folder; links to folders are followed once."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if is_visible(f))
        place = Path(folder)
        yield from (place / f for f in sorted(files) if is_visible(f))


def files_in(folder: Path, *suffixes: str) -> list[Path]:
    """Visible files of one folder, those with one of ``suffixes`` (lower case) where given."""
    if not folder.is_dir():
        return []
    return sorted(
        p
        for p in folder.iterdir()
        if is_visible(p.name) and (not suffixes or p.suffix.lower() in suffixes) and p.is_file()
    )


def folders_in(folder: Path) -> list[Path]:
    """Visible folders of one folder."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if is_visible(p.name) and p.is_dir())


def folder_called(root: Path, *names: str) -> Path | None:
    """The folder of the first of ``names`` (lower case) that is there, in any case."""
    known = {p.name.lower(): p for p in reversed(folders_in(root))}
    return next((known[n] for n in names if n in known), None)


def images_below(root: Path) -> list[Path]:
    """Images in and under ``root`` that edgectl reads."""
    return [p for p in files_below(root) if p.suffix.lower() in IMAGE_SUFFIXES]


def has_images(folder: Path) -> bool:
    """Whether images lie in the folder itself, read or unread."""
    known = IMAGE_SUFFIXES | UNREAD_IMAGES
    return folder.is_dir() and any(
        p.suffix.lower() in known and is_visible(p.name) for p in folder.iterdir()
    )
