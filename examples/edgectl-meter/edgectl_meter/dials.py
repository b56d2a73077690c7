"""``demo_dials``: pointer meters drawn by the program. The same seed gives the same bytes."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import cv2
import numpy as np

from edgectl_meter.points import DIAL
from edgectl_meter.points_csv import FILE

SPLITS = {"train": 480, "valid": 160, "test": 80}
_SIDES = (128, 225)
_SUBPIXEL_BITS = 4
_SWEEP = (math.radians(180), math.radians(290))

Rng = np.random.Generator


def generate(directory: Path, seed: int) -> None:
    """Draws 720 images into ``directory``, which exists, in a few seconds."""
    for number, (split, count) in enumerate(SPLITS.items()):
        draw_split(directory / split, count, (seed, number))


def draw_split(directory: Path, count: int, key: tuple[int, ...]) -> None:
    """``count`` images and their table; the numbers of ``key`` are the seed."""
    directory.mkdir(parents=True, exist_ok=True)
    columns = ["filename", "reading", *(f"{n}_{a}" for n in DIAL for a in "xy")]
    with (directory / FILE).open("w", encoding="utf-8", newline="") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(columns)
        for i in range(count):
            image, points, reading = draw_dial(np.random.default_rng((*key, i)))
            name = f"{i:04d}.png"
            done, data = cv2.imencode(".png", image)
            assert done
            (directory / name).write_bytes(data.tobytes())
            table.writerow([name, f"{reading:.5f}", *(f"{v:.3f}" for v in points.ravel())])


def draw_dial(rng: Rng) -> tuple[np.ndarray, np.ndarray, float]:
    """(H, W, 3) uint8 bgr, the (4, 2) points of :data:`~edgectl_meter.points.DIAL`, and the reading."""
    side = int(rng.integers(*_SIDES))
    face_dark = rng.random() < 0.3
    light, dark = _shade(rng, 190, 256), _shade(rng, 0, 70)
    face, ink = (dark, light) if face_dark else (light, dark)
    image = _draw_background(side, rng)
    radius = side * rng.uniform(0.28, 0.42)
    middle = side / 2 + rng.uniform(-0.06, 0.06, 2) * side
    _disc(image, middle, radius * 1.08, _shade(rng, 20, 235))
    _disc(image, middle, radius, face)
    sweep = rng.uniform(*_SWEEP)
    # the gap of a scale is below; dials hang a little crooked
    first = math.pi / 2 + (2 * math.pi - sweep) / 2 + rng.uniform(-0.15, 0.15)
    scale = radius * rng.uniform(0.78, 0.88)
    _draw_scale(image, middle, (first, sweep), scale, radius, ink, rng)
    reading = float(rng.random())
    angle = first + reading * sweep
    length = scale * rng.uniform(0.75, 0.95)
    tip = middle + length * _direction(angle)
    color = ink if rng.random() < 0.5 else _accent(rng)
    _line(image, middle - 0.15 * radius * _direction(angle), tip, color, max(1, round(side / 70)))
    _disc(image, middle, radius * 0.07, color)
    points = np.stack(
        [
            middle,
            tip,
            middle + scale * _direction(first),
            middle + scale * _direction(first + sweep),
        ]
    )
    noise = rng.normal(0, rng.uniform(0, 6), image.shape)
    lit = image * _light(side, rng)[:, :, None]
    return np.clip(lit + noise, 0, 255).astype(np.uint8), points, reading


def _draw_background(side: int, rng: Rng) -> np.ndarray:
    """A wall with things on it."""
    image = np.empty((side, side, 3), np.uint8)
    image[:] = _shade(rng, 30, 225)
    for _ in range(int(rng.integers(2, 8))):
        corner, extent = rng.uniform(-0.2, 1.0, 2), rng.uniform(0.1, 0.8, 2)
        low, high = np.round(corner * side), np.round((corner + extent) * side)
        color = _shade(rng, 0, 256)
        cv2.rectangle(image, low.astype(int).tolist(), high.astype(int).tolist(), color, -1)
    return image


def _light(side: int, rng: Rng) -> np.ndarray:
    """(side, side): brighter on one side, as by a window."""
    way = _direction(rng.uniform(0, 2 * math.pi)) * rng.uniform(0.0, 0.4)
    y, x = np.indices((side, side)) / side - 0.5
    lit: np.ndarray = 0.9 + way[0] * x + way[1] * y
    return lit


def _draw_scale(
    image: np.ndarray,
    middle: np.ndarray,
    span: tuple[float, float],
    scale: float,
    radius: float,
    ink: tuple[int, int, int],
    rng: Rng,
) -> None:
    """Ticks from ``span[0]`` on over ``span[1]`` radians; the scale's ends are thick."""
    first, sweep = span
    ticks = int(rng.integers(4, 13))
    for k in range(ticks + 1):
        way = _direction(first + sweep * k / ticks)
        long = k in (0, ticks) or k % 2 == 0
        inner = scale - radius * (0.12 if long else 0.06)
        _line(image, middle + inner * way, middle + scale * way, ink, 2 if k in (0, ticks) else 1)
    cv2.ellipse(
        image,
        _fixed(middle),
        (round(scale * (1 << _SUBPIXEL_BITS)),) * 2,
        0.0,
        math.degrees(first),
        math.degrees(first + sweep),
        ink,
        1,
        cv2.LINE_AA,
        _SUBPIXEL_BITS,
    )


def _direction(angle: float) -> np.ndarray:
    """Radians clockwise from the right, as x, y."""
    return np.array([math.cos(angle), math.sin(angle)])


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """OpenCV counts from the centers of pixels."""
    x, y = np.round((point - 0.5) * (1 << _SUBPIXEL_BITS)).astype(int)
    return int(x), int(y)


def _line(
    image: np.ndarray, a: np.ndarray, b: np.ndarray, color: tuple[int, int, int], width: int
) -> None:
    cv2.line(image, _fixed(a), _fixed(b), color, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _disc(
    image: np.ndarray, center: np.ndarray, radius: float, color: tuple[int, int, int]
) -> None:
    fixed = round(radius * (1 << _SUBPIXEL_BITS))
    cv2.circle(image, _fixed(center), fixed, color, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _shade(rng: Rng, low: int, high: int) -> tuple[int, int, int]:
    """Nearly grey."""
    level = rng.integers(low, high) + rng.integers(-12, 13, 3)
    blue, green, red = (int(v) for v in np.clip(level, 0, 255))
    return blue, green, red


def _accent(rng: Rng) -> tuple[int, int, int]:
    """Red, as many pointers are, or another strong color."""
    colors = ((30, 30, 210), (20, 20, 160), (200, 90, 20), (20, 120, 230))
    return colors[int(rng.integers(len(colors)))]
