"""Images by the names that label files give them.

A name is first looked for where the format has it. Tools write more than that: prefixes of another
machine, backslashes, percent-encoding, web addresses, another Unicode form. Then the image is taken whose
path agrees with the longest tail of the name; two that agree equally, or two names for one image, are an
error, since either would put boxes onto an image that nobody labelled so.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from edgectl.data.formats.reading.naming import image_at, stays_inside
from edgectl.data.formats.reading.options import read_options
from edgectl.data.formats.reading.walking import files_below, images_below
from edgectl.errors import DataError

_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/]*", re.I)
_SHOWN = 80


class ImageFinder:
    """Finds the images of one set.

    Args:
        root: its directory; nothing outside of it is taken, but for ``--images``.
    """

    def __init__(self, root: Path) -> None:
        named = read_options().images
        self._root = root
        self._named = [] if named is None else [named]
        self._by_name: dict[str, list[Path]] | None = None
        self._taken: dict[Path, str] = {}
        self._guessed: set[Path] = set()
        self._stems: dict[Path, dict[str, Path]] = {}

    def find(self, name: str, folders: Sequence[Path], where: str) -> Path | None:
        """The image ``name``, None where there is none.

        Args:
            name: as the label file has it.
            folders: where the format keeps images.
            where: the label file, for errors.

        Raises:
            DataError: a name that leaves the set, that fits two images, or an image that another
                name has taken already.
        """
        outside = [f for f in (*self._named, *folders) if not stays_inside(name, f, self._root)]
        inside = [f for f in (*self._named, *folders) if f not in outside]
        found = image_at(name, inside, self._root, where) if inside else None
        if found is not None:
            if found in self._guessed:
                self._require_free(found, name, where)
            self._taken.setdefault(found, name)
            return found
        leaves = any(_is_there(f / name) for f in outside)
        try:
            found = self._by_tail(name, where)
        except DataError:
            if not leaves:
                raise
        if leaves and (found is None or found in self._taken):
            image_at(name, outside, self._root, where)  # raises: it leaves the set
        if found is None:
            return None
        self._require_free(found, name, where)
        self._taken[found] = name
        self._guessed.add(found)
        return found

    def _require_free(self, found: Path, name: str, where: str) -> None:
        if self._taken.get(found, name) != name:
            raise DataError(
                f"'{_short(name)}' and '{_short(self._taken[found])}' would both be {found.name}",
                where=where,
                fix="give images names of their own, or say where they lie with --set data.images=DIR",
            )

    def _by_tail(self, name: str, where: str) -> Path | None:
        for spelling in _spellings(name):
            parts = [p for p in PurePosixPath(spelling).parts if p not in ("/", ".", "..")]
            same = self._images().get(_plain(parts[-1]), []) if parts else []
            if not same:
                continue
            agreeing = [_agreeing(p, parts) for p in same]
            best = [p for p, n in zip(same, agreeing, strict=True) if n == max(agreeing)]
            if len(best) > 1:
                shown = " and ".join(_relative(p, self._root) for p in best[:2])
                raise DataError(
                    f"'{_short(name)}' fits two images: {shown}",
                    where=where,
                    fix="say where the images lie: --set data.images=DIR",
                )
            return best[0]
        return None

    def _images(self) -> dict[str, list[Path]]:
        """Plain file name -> images of that name, found once."""
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for place in self._named or [self._root]:
                for path in files_below(place):
                    self._by_name[_plain(path.name)].append(path)
        return self._by_name

    def image_of_stem(self, stem: str, folders: Sequence[Path]) -> Path | None:
        """The image beside others in ``folders`` whose name is ``stem`` and some suffix."""
        for folder in (*self._named, *folders):
            known = self._stems_in(folder)
            for spelling in _spellings(stem):
                if (found := known.get(_plain(spelling))) is not None:
                    return found
        return None

    def _stems_in(self, folder: Path) -> dict[str, Path]:
        if folder not in self._stems:
            known: dict[str, Path] = {}
            for path in images_below(folder):
                inner = path.relative_to(folder).with_suffix("").as_posix()
                known.setdefault(_plain(inner), path)
            self._stems[folder] = known
        return self._stems[folder]


def _is_there(path: Path) -> bool:
    """By its words, or as the disk has it: ``..`` after a link differs."""
    try:
        return path.is_file() or Path(os.path.normpath(path.absolute())).is_file()
    except (OSError, ValueError):
        return False  # no name that a file can have


def _spellings(name: str) -> list[str]:
    """The name as a path, as it stands and decoded: an encoded name may be the file's own."""
    bare = name.replace("\\", "/")
    if "?d=" in bare:  # Label Studio's local files
        bare = bare.split("?d=", 1)[1]
    bare = _ADDRESS.sub("", bare)
    decoded = unquote(bare)
    return list(dict.fromkeys([bare, decoded, decoded.replace("\\", "/"), bare.split("?", 1)[0]]))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _agreeing(path: Path, parts: Sequence[str]) -> int:
    """How many parts agree, from the end."""
    count = 0
    for ours, theirs in zip(reversed(path.parts), reversed(parts), strict=False):
        if _plain(ours) != _plain(theirs):
            break
        count += 1
    return count


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _short(name: str) -> str:
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
