"""Kinds of image files: one table of suffixes for every command, and what a header says."""

from __future__ import annotations

from functools import cache
from typing import Any

from edgectl.errors import DependencyError

IMAGE_SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".png",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".avif",
        ".pgm",
        ".ppm",
    )
)
"""Files taken for images where no annotation names them; compared in lower case."""

_TIFF = (b"II*\0", b"MM\0*")
_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}) | _AVIF
_INSTALL = "pip install 'edgectl[images]', or convert the images to JPEG or PNG"


def is_tiff(head: bytes) -> bool:
    """By the file's first bytes, as all of these."""
    return head.startswith(_TIFF)


def is_heif(head: bytes) -> bool:
    """HEIC, HEIF or AVIF."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF


def is_deep(data: bytes) -> bool:
    """A PNG, PGM or PPM whose values may have 16 bits."""
    if data.startswith(b"\x89PNG"):
        return data[24:25] == b"\x10"
    if data.startswith((b"P5", b"P6")):
        words = [w for line in data[:512].split(b"\n") for w in line.split(b"#")[0].split()]
        return len(words) > 3 and words[3].isdigit() and int(words[3]) > 255
    return False


def has_alpha(data: bytes) -> bool:
    """A PNG or WebP with an alpha channel, or a PNG with transparent colors."""
    if data.startswith(b"\x89PNG"):
        return data[25:26] in (b"\x04", b"\x06") or b"tRNS" in data[: max(0, data.find(b"IDAT"))]
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        lossless = data[12:16] == b"VP8L" and bool(data[24:25]) and bool(data[24] & 0x10)
        return lossless or (data[12:16] == b"VP8X" and bool(data[20] & 0x10))
    return False


def pillow_for(head: bytes, where: str) -> Any:
    """``PIL.Image``, with what opens a file that begins so.

    Raises:
        DependencyError: HEIC, HEIF or AVIF, and no plugin of Pillow reads it.
    """
    from PIL import Image

    if is_heif(head) and not _reads_heif(head[8:12] in _AVIF):
        kind = "AVIF" if head[8:12] in _AVIF else "HEIC"
        raise DependencyError(f"{kind} images need a plugin of Pillow", where=where, fix=_INSTALL)
    return Image


@cache
def _reads_heif(avif: bool) -> bool:
    from PIL import features

    if avif and features.check("avif"):
        return True
    try:
        import pillow_heif
    except ImportError:
        return False
    register = "register_avif_opener" if avif else "register_heif_opener"
    if not hasattr(pillow_heif, register):
        return False
    getattr(pillow_heif, register)()
    return True
