"""Images that OpenCV would read wrongly in silence: 16-bit values, transparency, TIFF, HEIC, AVIF."""

from __future__ import annotations

import io

import cv2
import numpy as np

from edgectl.data.images.kinds import has_alpha, is_deep, is_heif, is_tiff, pillow_for
from edgectl.errors import DataError

_DEPTHS = (8, 10, 12, 14, 16)
_ORIENTATION = 0x0112
_BACK = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
"""EXIF orientation -> ``Image.Transpose`` that undoes it."""
_FIX = "convert the file to 8-bit PNG or JPEG"


def is_unusual(data: bytes) -> bool:
    """Whether :func:`decode_unusual` is to read it."""
    return is_deep(data) or has_alpha(data) or is_tiff(data) or is_heif(data)


def decode_unusual(
    data: bytes, where: str, *, stored: bool, background: int
) -> tuple[np.ndarray, str]:
    """((H, W, 3) uint8 bgr, what was done to the values, or empty).

    16-bit values are scaled by the range they use: cameras write 10, 12 or 14 bits into 16, which as they
    are would be nearly black. Transparent pixels are laid over ``background``, 0..255.

    Raises DataError, DependencyError.
    """
    if is_deep(data) and not has_alpha(data):
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        flags |= cv2.IMREAD_IGNORE_ORIENTATION if stored else 0
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if image is None:
            raise DataError("not an image OpenCV can decode", where=where, fix=_FIX)
        return scale_depth(np.asarray(image))
    from PIL import Image, ImageOps

    try:
        with pillow_for(data[:16], where).open(io.BytesIO(data)) as opened:
            turn = opened.getexif().get(_ORIENTATION, 1)
            opened.load()
            upright = opened if stored else ImageOps.exif_transpose(opened)
            if stored and is_tiff(data) and turn in _BACK:
                # Pillow turns a TIFF while it loads it
                upright = opened.transpose(Image.Transpose(_BACK[turn]))
            if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
                gray, note = scale_depth(np.asarray(upright))
                return np.repeat(gray[:, :, None], 3, axis=2), note
            rgba = np.asarray(upright.convert("RGBA"))
    except (OSError, ValueError, SyntaxError, EOFError) as e:
        raise DataError(f"not an image Pillow can decode: {e}", where=where, fix=_FIX) from e
    bgr = np.ascontiguousarray(rgba[:, :, 2::-1])
    alpha = rgba[:, :, 3:].astype(np.float32) / 255
    if alpha.min() == 1.0:
        return bgr, ""
    laid = bgr * alpha + background * (1 - alpha)
    return np.rint(laid).astype(np.uint8), f"transparent pixels are laid over gray {background}"


def scale_depth(values: np.ndarray) -> tuple[np.ndarray, str]:
    """uint8 of deeper values, scaled by the least depth that holds them, and a note."""
    if values.dtype == np.uint8:
        return values, ""
    top = float(values.max(initial=0))
    limit = next((2**d - 1 for d in _DEPTHS if top < 2**d), max(top, 1.0))
    shown = np.rint(np.clip(values.astype(np.float32) * (255.0 / limit), 0, 255))
    return shown.astype(np.uint8), f"values up to {top:.0f}: scaled from 0..{limit:.0f} to 0..255"
