"""The size of a picture from its header, without decoding it."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from edgectl.data.images.storage import pack_of, read_bytes
from edgectl.errors import DataError

_EXIF_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})


def _opened(path: Path) -> Path | io.BytesIO:
    """A header is a few bytes: only a pack's picture is read whole."""
    return path if pack_of(path) is None else io.BytesIO(read_bytes(path))


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) as viewers show the picture, its EXIF rotation applied.

    Raises DataError.
    """
    try:
        with Image.open(_opened(path)) as picture:
            width, height = picture.size
            turned = picture.getexif().get(_EXIF_ORIENTATION) in _TURNED
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as e:
        raise DataError(
            f"not a picture: {e}", where=str(path), fix="replace or remove the file"
        ) from e
    except Image.DecompressionBombError as e:
        raise DataError(f"too large a picture: {e}", where=str(path), fix="scale it down") from e
    return (height, width) if turned else (width, height)
