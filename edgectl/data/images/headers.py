"""What an image's header says, without decoding it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from edgectl.data.images.kinds import pillow_for
from edgectl.data.images.storage import pack_of, read_bytes
from edgectl.errors import DataError

_FIX = (
    "replace or remove the file; or leave it out: edgectl data check DATA --fix DIRECTORY writes a copy "
    "without it, --set data.on_error=skip goes on"
)
_EXIF_ORIENTATION = 0x0112
_WIDTH, _HEIGHT = 256, 257
_TURNED = frozenset({5, 6, 7, 8})
_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_RAW_EXIF = b"Raw profile type exif"
"""How ImageMagick writes it."""


def _opened(path: Path) -> Path | io.BytesIO:
    """A header is a few bytes: only a pack's image is read whole."""
    return path if pack_of(path) is None else io.BytesIO(read_bytes(path))


def _head(path: Path) -> bytes:
    if pack_of(path) is not None:
        return read_bytes(path)[:16]
    with path.open("rb") as f:
        return f.read(16)


@dataclass(frozen=True)
class Header:
    """Attributes:
    size: (width, height) as viewers show the image, its EXIF rotation applied.
    turned: whether that rotation exchanges the sides.
    """

    size: tuple[int, int]
    turned: bool


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) as viewers show the image, its EXIF rotation applied.

    Raises DataError, DependencyError.
    """
    return read_header(path).size


def read_header(path: Path) -> Header:
    """Raises DataError, DependencyError."""
    try:
        source = _opened(path)
        with pillow_for(_head(path), str(path)).open(source) as image:
            width, height = image.size
            if image.format == "TIFF":  # newer Pillows give it turned
                width, height = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
            # asked of a PNG, Pillow decodes the whole image: the note may stand behind the pixels
            asked = image.format != "PNG" or _notes_exif(source)
            turned = asked and image.getexif().get(_EXIF_ORIENTATION) in _TURNED
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, KeyError) as e:
        raise DataError(f"not an image: {e}", where=str(path), fix=_FIX) from e
    except Image.DecompressionBombError as e:
        raise DataError(f"too large an image: {e}", where=str(path), fix="scale it down") from e
    return Header((height, width) if turned else (width, height), turned)


def _notes_exif(source: Path | io.BytesIO) -> bool:
    """Whether a PNG has a chunk of EXIF, or one of text that may hold it: seen from chunk to chunk."""
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source.getvalue()) as f:
        f.seek(len(_PNG))
        while len(head := f.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == b"eXIf":
                return True
            keyword = f.read(min(length, len(_RAW_EXIF)))
            if kind in _TEXTS and keyword == _RAW_EXIF:
                return True
            f.seek(length - len(keyword) + 4, io.SEEK_CUR)
    return False
