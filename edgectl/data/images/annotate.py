"""Boxes and words drawn into an image so that they can be read at any image size.

Lines and letters grow with the image, labels stand on a plate of their class's color and stay inside the
image, and every class has a color of its own.
"""

from __future__ import annotations

import colorsys
import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Bgr: TypeAlias = tuple[int, int, int]

_TURN = 0.61803398875
"""Of the color circle, from class to class: no two of the first hundred meet."""
_LEAST_LETTER = 11
_LETTER_SHARE = 1 / 42
"""Height of letters, of the image's longer side."""


@dataclass(frozen=True)
class Mark:
    """One thing to draw.

    Attributes:
        text: on a plate above the box; '' draws none.
        box: (x0, y0, x1, y1) in the image's pixels; without one the text stands in a column at the left.
        dashed: for what is not there but should be.
    """

    text: str
    color: Bgr
    box: Sequence[float] | None = None
    dashed: bool = False


def color_class(index: int) -> Bgr:
    """The color of a class by its place in the list, bright enough for dark letters on it."""
    hue = (0.33 + index * _TURN) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, 0.62, 0.85)
    return round(blue * 255), round(green * 255), round(red * 255)


def measure_line(image: np.ndarray) -> int:
    """Pixels a line must be wide to be seen when the whole image is looked at."""
    height, width = image.shape[:2]
    return max(1, round(max(int(height), int(width)) / 320))


def annotate(image_bgr: np.ndarray, marks: Sequence[Mark]) -> np.ndarray:
    """A copy, uint8 (H, W, 3), with the marks in it: boxes first, so that no line crosses a word."""
    canvas = np.ascontiguousarray(image_bgr).copy()
    width = measure_line(canvas)
    for mark in marks:
        if mark.box is not None:
            _draw_box(canvas, mark, width)
    if not any(mark.text for mark in marks):
        return canvas
    page = Image.fromarray(canvas[:, :, ::-1].copy())
    pen, font = ImageDraw.Draw(page), _load_font(_letter_size(canvas))
    below = 0
    for mark in marks:
        if mark.text:
            below = _write_plate(pen, font, mark, page.size, below)
    return np.asarray(page)[:, :, ::-1].copy()


def _draw_box(canvas: np.ndarray, mark: Mark, width: int) -> None:
    assert mark.box is not None
    x0, y0, x1, y1 = (round(float(v)) for v in mark.box)
    if not mark.dashed:
        cv2.rectangle(canvas, (x0, y0), (x1, y1), (0, 0, 0), width + 2)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), mark.color, width)
        return
    step = 4 * width + 2
    for start in range(x0, x1, 2 * step):
        for y in (y0, y1):
            cv2.line(canvas, (start, y), (min(start + step, x1), y), mark.color, width)
    for start in range(y0, y1, 2 * step):
        for x in (x0, x1):
            cv2.line(canvas, (x, start), (x, min(start + step, y1)), mark.color, width)


def _write_plate(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    mark: Mark,
    size: tuple[int, int],
    below: int,
) -> int:
    """Writes one label inside an image of ``size`` (width, height). Returns where the next one without a
    box goes."""
    left, top, right, bottom = font.getbbox(mark.text)
    room = 2 + int(font.size) // 8
    wide, high = right - left + 2 * room, bottom - top + 2 * room
    if mark.box is None:
        x, y = 0, below
        below += round(high)
    else:
        x, y = round(mark.box[0]), round(mark.box[1]) - round(high)
        if y < 0:  # no room above the box: inside it
            y = max(0, round(mark.box[1]))
    x = max(0, min(x, size[0] - round(wide)))
    y = max(0, min(y, size[1] - round(high)))
    red_green_blue = mark.color[::-1]
    pen.rectangle((x, y, x + wide, y + high), fill=red_green_blue)
    ink = (0, 0, 0) if _is_bright(mark.color) else (255, 255, 255)
    pen.text((x + room - left, y + room - top), mark.text, fill=ink, font=font)
    return below


def _is_bright(color: Bgr) -> bool:
    """By ITU-R BT.601."""
    blue, green, red = color
    return 0.299 * red + 0.587 * green + 0.114 * blue > 110


def _letter_size(canvas: np.ndarray) -> int:
    return max(_LEAST_LETTER, round(int(max(canvas.shape[:2])) * _LETTER_SHARE))


@functools.cache
def _load_font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings: Latin, Greek, Cyrillic and more, where OpenCV's letters know
    ASCII alone."""
    found = importlib.util.find_spec("matplotlib")
    assert found is not None and found.origin is not None
    file = Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size)
