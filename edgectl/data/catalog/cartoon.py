"""Cartoon heads, with and without a mask, and the clutter around them.

Shapes are polygons in unit coordinates of what they belong to, so that one affine map places,
turns and squeezes a whole head. Colors of heads, masks and clutter come from the same ranges:
color alone tells nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

Rng = np.random.Generator
Color = tuple[int, int, int]
"""blue, green, red."""

_SUBPIXEL_BITS = 4
_MASKS: tuple[Color, ...] = (
    (240, 240, 240),
    (235, 215, 170),
    (190, 210, 150),
    (45, 45, 45),
    (150, 150, 225),
    (170, 110, 60),
)


@dataclass(frozen=True)
class Pen:
    """Draws unit-coordinate shapes: x to the right and y down, the unit circle is the head.

    Attributes:
        canvas: (H, W, 3) uint8 bgr, drawn on.
        matrix: (2, 3), unit coordinates to pixels.
    """

    canvas: np.ndarray
    matrix: np.ndarray

    @classmethod
    def at(
        cls,
        canvas: np.ndarray,
        center: tuple[float, float],
        radii: tuple[float, float],
        angle: float,
    ) -> Pen:
        """``center`` and ``radii`` in pixels, ``angle`` in radians."""
        cos, sin = math.cos(angle), math.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(radii)
        return cls(canvas, np.concatenate([linear, np.array(center)[:, None]], axis=1))

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) unit coordinates to pixels, float64."""
        placed: np.ndarray = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return placed

    def fill(self, points: np.ndarray, color: Color) -> None:
        """A filled polygon, its edge smoothed."""
        fixed = np.round(self.pixels(points) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(self.canvas, [fixed], color, cv2.LINE_AA, _SUBPIXEL_BITS)

    def line(self, points: np.ndarray, color: Color, width: float) -> None:
        """An open line, ``width`` in unit coordinates."""
        fixed = np.round(self.pixels(points) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        scale = math.sqrt(abs(float(np.linalg.det(self.matrix[:, :2]))))
        thickness = max(1, round(width * scale))
        cv2.polylines(self.canvas, [fixed], False, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def arc(
    x: float, y: float, rx: float, ry: float, first: float = 0.0, last: float = 360.0
) -> np.ndarray:
    """(25, 2) points on an ellipse, degrees clockwise from the right."""
    t = np.radians(np.linspace(first, last, 25))
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


def any_color(rng: Rng) -> Color:
    """Uniform."""
    blue, green, red = (int(v) for v in rng.integers(20, 246, 3))
    return blue, green, red


def skin_color(rng: Rng) -> Color:
    """From dark to pale."""
    light = rng.uniform(0.35, 1.0)
    tint = rng.uniform(-12, 12, 3)
    blue, green, red = (int(v) for v in np.clip(np.array([170, 195, 240]) * light + tint, 0, 255))
    return blue, green, red


def mask_color(rng: Rng) -> Color:
    """A common one, or any."""
    return _MASKS[rng.integers(len(_MASKS))] if rng.random() < 0.8 else any_color(rng)


def shade(color: Color, factor: float) -> Color:
    """Darker below 1, lighter above."""
    blue, green, red = (int(min(255, c * factor)) for c in color)
    return blue, green, red


def draw_head(pen: Pen, rng: Rng, *, masked: bool) -> np.ndarray:
    """Draws one head. Returns (x0, y0, x1, y1) of hair, face and ears in pixels."""
    skin, hair = skin_color(rng), shade(skin_color(rng), rng.uniform(0.1, 0.8))
    if rng.random() < 0.15:
        hair = any_color(rng)
    ears = [(arc(side * 0.98, 0.05, 0.14, 0.2), shade(skin, 0.9)) for side in (-1.0, 1.0)]
    parts = [*ears, (arc(0.0, 0.0, 1.0, 1.0), skin)]
    style = rng.random()
    if style < 0.35:  # long hair, behind the face
        parts.insert(0, (arc(0.0, 0.05, 1.15, 1.15), hair))
    if style < 0.9:
        fringe = [[0.0, rng.uniform(-0.75, -0.3)]]
        parts.append((np.concatenate([arc(0.0, -0.02, 1.04, 1.04, 200, 340), fringe]), hair))
    for shape, color in parts:
        pen.fill(shape, color)
    _eyes(pen, rng, skin)
    if masked:
        draw_mask(pen, rng, mask_color(rng))
    else:
        _mouth(pen, rng, skin, hair)
    drawn = pen.pixels(np.concatenate([shape for shape, _ in parts]))
    return np.concatenate([drawn.min(axis=0), drawn.max(axis=0)])


def _eyes(pen: Pen, rng: Rng, skin: Color) -> None:
    look, size = rng.uniform(-0.05, 0.05), rng.uniform(0.13, 0.2)
    height = rng.uniform(-0.28, -0.15)
    glasses = rng.random() < 0.2
    for x in (-0.4, 0.4):
        pen.fill(arc(x, height, size, size * 0.75), (245, 245, 245))
        pen.fill(arc(x + look, height, size * 0.5, size * 0.6), (30, 25, 20))
        brow = np.array([[x - 0.2, height - 0.22], [x + 0.2, height - 0.22]])
        pen.line(brow, shade(skin, 0.4), 0.07)
        if glasses:
            pen.line(arc(x, height, 0.3, 0.26), (35, 35, 35), 0.06)


def _mouth(pen: Pen, rng: Rng, skin: Color, hair: Color) -> None:
    """Nose and mouth, at times in a beard: a lower half in one color that is no mask."""
    if rng.random() < 0.25:
        pen.fill(arc(0.0, 0.0, 0.99, 0.99, 20, 160), hair)
    nose = np.array([[0.0, -0.1], [0.1, 0.2], [-0.06, 0.2]])
    pen.line(nose, shade(skin, 0.65), 0.07)
    width, lips = rng.uniform(0.25, 0.45), (70, 60, int(rng.integers(150, 220)))
    kind = rng.random()
    if kind < 0.4:
        pen.line(arc(0.0, 0.4, width, 0.22, 20, 160), lips, 0.1)
    elif kind < 0.7:
        pen.fill(arc(0.0, 0.45, width, 0.2, 0, 180), (50, 40, 120))
    else:
        pen.fill(arc(0.0, 0.52, width, 0.1), lips)


def draw_mask(pen: Pen, rng: Rng, color: Color) -> None:
    """From the bridge of the nose to under the chin, with pleats and straps."""
    top, bottom = rng.uniform(-0.02, 0.15), rng.uniform(0.85, 1.0)
    for side in (-1.0, 1.0):
        for y, ear in ((top + 0.1, -0.05), (bottom - 0.25, 0.2)):
            pen.line(np.array([[side * 0.7, y], [side * 0.99, ear]]), shade(color, 0.8), 0.05)
    half = np.array([[0.0, top - 0.08], [0.5, top], [0.8, top + 0.1], [0.74, 0.6], [0.4, bottom]])
    pen.fill(np.concatenate([half, half[::-1] * (-1.0, 1.0)]), color)
    for y in np.linspace(top + 0.25, bottom - 0.25, int(rng.integers(1, 4))):
        pen.line(np.array([[-0.68, y], [0.68, y]]), shade(color, 0.82), 0.05)


def draw_clutter(pen: Pen, rng: Rng) -> None:
    """Something that shares color or outline with a head or a mask and is neither."""
    kind = int(rng.integers(6))
    color = (skin_color, mask_color, any_color)[rng.integers(3)](rng)
    if kind == 0:
        pen.fill(arc(0.0, 0.0, 1.0, 1.0), color)
    elif kind == 1:
        pen.fill(np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]), color)
    elif kind == 2:  # a ball in two colors: a head without a face
        pen.fill(arc(0.0, 0.0, 1.0, 1.0), skin_color(rng))
        pen.fill(arc(0.0, 0.0, 1.0, 1.0, 0, 180), mask_color(rng))
    elif kind == 3:  # a mask nobody wears
        draw_mask(pen, rng, mask_color(rng))
    elif kind == 4:
        pen.fill(rng.uniform(-1.0, 1.0, (int(rng.integers(3, 6)), 2)), color)
    else:
        for y in np.linspace(-1.0, 1.0, int(rng.integers(3, 7))):
            pen.line(np.array([[-1.0, y], [1.0, y]]), color, 0.15)
