"""Labelled images as they are to be seen: upright, with boxes that lie where the objects are.

A camera held sideways stores its pixels sideways and notes the turn in EXIF. Some labelling tools
honour the note, some draw on the stored pixels. The size an annotation states tells which: upright
pixels are always used, and boxes drawn on stored pixels are turned along. (Where both sizes are
equal - a square image, or one upside down - the note is taken to have been honoured, as by every
image viewer.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgectl.data.images.preprocess import decode
from edgectl.errors import DataError
from edgectl.labels import Sample

_MIRRORS = ((True, False), (False, True), (False, False), (True, True))
"""EXIF swaps the sides of an image in four ways (6, 8, 5, 7): transposed, then mirrored in x, y."""


def read_labelled(sample: Sample, background: int = 114) -> tuple[np.ndarray, Sample]:
    """Decodes an image; returns its upright pixels and its labels in them.

    (H, W, 3) uint8 bgr, and a sample of exactly that size. (Formats that state no size leave 0.)
    Transparent pixels are laid over ``background``.

    Raises:
        DataError: not decodable, or of another size than the annotation states, on which every
            box depends.
    """
    pixels = decode(sample.path, background=background)
    height, width = pixels.shape[:2]
    if not sample.width:
        return pixels, replace(sample, width=width, height=height)
    if (width, height) == (sample.width, sample.height):
        return pixels, sample
    if (height, width) == (sample.width, sample.height):
        stored = decode(sample.path, stored=True, background=background)
        for mirrors in _MIRRORS:
            if np.array_equal(turn_pixels(stored, mirrors), pixels):
                return pixels, turn_labels(sample, mirrors)
    raise DataError(
        f"the image is {width}x{height}, its annotation says {sample.width}x{sample.height}",
        where=str(sample.path),
        fix="export images and annotations together",
    )


def turn_pixels(pixels: np.ndarray, mirrors: tuple[bool, bool]) -> np.ndarray:
    """(H, W, 3) to (W, H, 3): transposed, then mirrored in x and y."""
    columns, rows = (-1 if m else 1 for m in mirrors)
    return np.swapaxes(pixels, 0, 1)[::rows, ::columns]


def turn_labels(sample: Sample, mirrors: tuple[bool, bool]) -> Sample:
    """The labels of an image turned by :func:`turn_pixels`."""
    boxes = sample.boxes_xyxy[:, [1, 0, 3, 2]].copy()
    width, height = sample.height, sample.width
    if mirrors[0]:
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    if mirrors[1]:
        boxes[:, [1, 3]] = height - boxes[:, [3, 1]]
    return replace(sample, width=width, height=height, boxes_xyxy=boxes)
