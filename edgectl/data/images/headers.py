"""The size of an image from its header, without decoding it."""

from __future__ import annotations

import io
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


def _opened(path: Path) -> Path | io.BytesIO:
    """A header is a few bytes: only a pack's image is read whole."""
    return path if pack_of(path) is None else io.BytesIO(read_bytes(path))


def _head(path: Path) -> bytes:
    if pack_of(path) is not None:
        return read_bytes(path)[:16]
    with path.open("rb") as f:
        return f.read(16)


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) as viewers show the image, its EXIF rotation applied.

    Raises DataError, DependencyError.
    """
    try:
        with pillow_for(_head(path), str(path)).open(_opened(path)) as image:
            width, height = image.size
            if image.format == "TIFF":  # newer Pillows give it turned
                width, height = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
            turned = image.getexif().get(_EXIF_ORIENTATION) in _TURNED
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, KeyError) as e:
        raise DataError(f"not an image: {e}", where=str(path), fix=_FIX) from e
    except Image.DecompressionBombError as e:
        raise DataError(f"too large an image: {e}", where=str(path), fix="scale it down") from e
    return (height, width) if turned else (width, height)
