"""The one implementation of ``PreprocessSpec``: decode, resize, pad, normalize.

Training, evaluation, calibration and parity all come through here; a device's lowering is tested
against it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from edgectl.data.images.storage import read_bytes
from edgectl.data.images.unusual import decode_unusual, is_unusual
from edgectl.errors import DataError
from edgectl.labels import Geometry
from edgectl.spec import PreprocessSpec, Size

_FIX = "replace or remove the file and its annotations"


def decode(path: Path, *, stored: bool = False, background: int = 114) -> np.ndarray:
    """(H, W, 3) uint8, bgr. Gray, palette and CMYK become three channels, 16 bits eight; transparent
    pixels are laid over ``background``.

    EXIF rotation is applied; ``stored`` gives the pixels as they lie in the file.

    Raises:
        DataError: absent, not an image, or cut short. OpenCV fills what is missing of a JPEG or
            PNG with gray or black without a word, so the end marker is looked for.
        DependencyError: a kind of image whose reader is not installed.
    """
    return decode_with_note(path, stored=stored, background=background)[0]


def decode_with_note(
    path: Path, *, stored: bool = False, background: int = 114
) -> tuple[np.ndarray, str]:
    """As :func:`decode`, and what was done to the values where that is worth a word."""
    try:
        data = read_bytes(path)
    except OSError as e:
        raise DataError(f"cannot be read: {e.strerror}", where=str(path), fix=_FIX) from e
    if _is_cut_short(data):
        raise DataError("truncated: the end of the image is missing", where=str(path), fix=_FIX)
    if is_unusual(data):
        return decode_unusual(data, str(path), stored=stored, background=background)
    image = None
    if data:
        flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if stored else 0)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise DataError("not an image OpenCV can decode", where=str(path), fix=_FIX)
    return np.asarray(image, np.uint8), ""


def _is_cut_short(data: bytes) -> bool:
    """A JPEG without end-of-image marker after its first scan, or a PNG without IEND chunk.

    Segments before the scan are skipped by their lengths: an EXIF thumbnail is a JPEG of its own.
    """
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data
    if not data.startswith(b"\xff\xd8"):
        return False
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":
        filler = data[at + 1 : at + 2] == b"\xff"
        at += 1 if filler else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data.find(b"\xff\xd9", at) < 0


def letterbox_geometry(height: int, width: int, spec: PreprocessSpec) -> tuple[Size, Geometry]:
    """((new height, new width), geometry) of an image of that size under ``spec``."""
    rows, columns = spec.input_size
    if spec.resize == "stretch":
        return (rows, columns), Geometry(columns / width, rows / height, 0, 0)
    scale = min(rows / height, columns / width)
    new = (min(rows, max(1, round(height * scale))), min(columns, max(1, round(width * scale))))
    top = left = 0
    if spec.pad_side == "center":
        top, left = (rows - new[0]) // 2, (columns - new[1]) // 2
    return new, Geometry(new[1] / width, new[0] / height, left, top)


def resize_image(image_bgr: np.ndarray, spec: PreprocessSpec) -> tuple[np.ndarray, Geometry]:
    """(H, W, 3) uint8 bgr to ((rows, columns, C) uint8 in ``spec.channel_order``, geometry).

    What is gray in the end is made gray first, as a device scales the Y plane of its camera.
    """
    height, width = image_bgr.shape[:2]
    (new_height, new_width), geometry = letterbox_geometry(height, width, spec)
    if spec.channels == 1:
        gray = to_gray(image_bgr)
        resized = resize_to(gray, (new_height, new_width), spec.interpolation)
    else:
        color = resize_to(image_bgr, (new_height, new_width), spec.interpolation)
        resized = in_order(color, spec)
    out = np.full((*spec.input_size, spec.channels), spec.pad_value, np.uint8)
    top, left = geometry.pad_top, geometry.pad_left
    out[top : top + new_height, left : left + new_width] = resized
    return out, geometry


_INTERPOLATIONS = {
    "bilinear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "bicubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
}


def resize_to(image: np.ndarray, size: Size, interpolation: str = "auto") -> np.ndarray:
    """(H, W, C) to ``size``. ``auto``: area averaging when it shrinks (no aliasing), else bilinear."""
    height, width = image.shape[:2]
    if interpolation == "auto":
        shrinks = size[0] * size[1] < height * width
        interpolation = "area" if shrinks else "bilinear"
    how = _INTERPOLATIONS[interpolation]
    resized = np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=how), np.uint8)
    return resized.reshape(*size, -1)  # OpenCV drops an axis of one channel


def in_order(image_bgr: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """(H, W, 3) uint8 bgr to (H, W, C) in the spec's order."""
    if spec.channels == 1:
        return to_gray(image_bgr)
    return image_bgr[:, :, ::-1] if spec.channel_order == "rgb" else image_bgr


def to_gray(image_bgr: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 bgr to (H, W, 1): .299 red + .587 green + .114 blue, rounded, as ITU-R BT.601 and
    OpenCV have it. The Y plane of a camera, and of a JPEG, holds the same values where it uses the full
    range 0..255; planes in 16..235 are to be stretched first."""
    return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), np.uint8)[:, :, None]


def normalize(images: Tensor, spec: PreprocessSpec) -> Tensor:
    """uint8 (N, C, H, W) to float32 (pixel - mean) / std, memory format kept."""
    x = images.to(torch.float32)
    mean, std = (x.new_tensor(v)[None, :, None, None] for v in (spec.mean, spec.std))
    return (x - mean) / std if any(spec.mean) else x / std
