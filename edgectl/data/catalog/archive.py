"""A data set in a zip archive, as everybody's export is: unpacked into the cache, once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgectl.data.catalog.download import unpack
from edgectl.data.formats import looks_like_dataset
from edgectl.data.formats.reading.walking import files_in, folders_in
from edgectl.errors import EdgectlError
from edgectl.files import directory_beside

SUFFIX = ".zip"
_RATIO = 200
_ROOM = 256 << 20
"""An archive that unpacks to more than this and so many times its own size is taken for a bomb: images
are packed already, labels shrink to a tenth."""
_LARGEST = 1 << 40
_FIX = "unpack it by hand, and name the directory"


def is_archive(path: Path) -> bool:
    """Looks at the name only."""
    return path.suffix.lower() == SUFFIX and path.is_file()


def open_archive(archive: Path, cache: Path) -> Path:
    """The directory of the set in it. The same archive is not unpacked twice.

    Raises:
        DataError: no zip, or one that is not safe: paths that leave it, links, a bomb.
        EdgectlError: the cache cannot be written.
    """
    found = archive.stat()
    key = f"{archive.resolve()} {found.st_size} {found.st_mtime_ns}"
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    target = cache / "unpacked" / f"{archive.stem}-{digest}"
    if not target.is_dir():
        limit = min(_RATIO * found.st_size + _ROOM, _LARGEST)
        try:
            with directory_beside(target) as place:
                unpack(archive, place / "inner", limit=limit, fix=_FIX)
                if not target.is_dir():
                    (place / "inner").rename(target)
        except OSError as e:
            raise EdgectlError(
                f"cannot be unpacked: {e.strerror or e}",
                where=str(target),
                fix="free disk space, or choose another directory with EDGECTL_CACHE",
            ) from e
    return _set_in(target)


def _set_in(directory: Path) -> Path:
    """Most archives hold one directory named after the set."""
    place = directory
    while not looks_like_dataset(place):
        inner = folders_in(place)
        if len(inner) != 1 or files_in(place):
            return place
        place = inner[0]
    return place
