"""Training-time augmentation: zoom, placement, mosaic of four, flip, color.

One affine warp takes each source image straight from the cached pixels to its place in the
output, so nothing is resampled twice. Randomness comes in as a generator; no state is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from edgectl.config.schema import AugmentConfig
from edgectl.data.images.cache import Image
from edgectl.spec import PreprocessSpec, Size

# a box less visible than this no longer looks like its class
_VISIBLE = 0.4
_MIN_SIDE = 2.0
# four tiles share the window: images are drawn smaller, so that each still shows whole objects
_TILE_ZOOM = 0.75
_COLOUR_SHARE = 0.8
_GRAIN = 32
"""Sides of a sample smaller than the input are multiples of this: strides divide it."""


@dataclass(frozen=True)
class Window:
    """The part of the output one image fills, in output pixels."""

    left: int
    top: int
    width: int
    height: int


def augment(
    index: int,
    images: Callable[[int], Image],
    count: int,
    spec: PreprocessSpec,
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    mosaic: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One training sample around image ``index`` of ``count``.

    Returns (rows, columns, C) uint8 of :func:`sample_size`, (N, 4) float32 boxes in its pixels, (N,)
    int64 labels.
    """
    rows, columns = sample_size(spec, config)
    out = np.empty((rows, columns, spec.channels), np.uint8)
    if mosaic and rng.random() < config.mosaic:
        chosen = [index, *(int(i) for i in rng.integers(count, size=3))]
        parts = [
            place(images(i), window, spec, config, rng, out, zoom=_TILE_ZOOM)
            for i, window in zip(chosen, _quarters((rows, columns), rng), strict=True)
        ]
    else:
        window = Window(0, 0, columns, rows)
        parts = [place(images(index), window, spec, config, rng, out, zoom=1.0)]
    boxes, labels = (np.concatenate(p) for p in zip(*parts, strict=True))
    jitters = any((config.hue, config.saturation, config.value, config.grey))
    if jitters and rng.random() < _COLOUR_SHARE:
        out = jitter_color(out, config, rng, rgb=spec.channel_order == "rgb")
    # drawn only where asked for: other settings keep the samples their seed gave them
    if config.blur and rng.random() < config.blur:
        out = np.asarray(cv2.GaussianBlur(out, (3, 3), 0), np.uint8).reshape(out.shape)
    return out, boxes, labels


def sample_size(spec: PreprocessSpec, config: AugmentConfig) -> Size:
    """(rows, columns) of training samples: the input's, or no less of it than ``window`` asks for."""
    rows, columns = (
        side if share == 1.0 else min(side, math.ceil(side * share / _GRAIN) * _GRAIN)
        for side, share in zip(spec.input_size, config.window, strict=True)
    )
    return rows, columns


def _quarters(size: Size, rng: np.random.Generator) -> list[Window]:
    rows, columns = size
    x, y = (int(n * rng.uniform(0.3, 0.7)) for n in (columns, rows))
    return [
        Window(0, 0, x, y),
        Window(x, 0, columns - x, y),
        Window(0, y, x, rows - y),
        Window(x, y, columns - x, rows - y),
    ]


def place(
    image: Image,
    window: Window,
    spec: PreprocessSpec,
    config: AugmentConfig,
    rng: np.random.Generator,
    out: np.ndarray,
    *,
    zoom: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Warps the image into its window of ``out``; returns the boxes and labels still visible.

    An image larger than the window is cropped at random, a smaller one put down at random; both
    up to ``translate`` beyond.
    """
    matrix = _affine(image.pixels.shape[:2], window, spec, config, rng, zoom)
    view = out[window.top : window.top + window.height, window.left : window.left + window.width]
    # a box edge at 0 is the outer edge of pixel 0; OpenCV counts from the centers of the pixels
    centered = matrix.copy()
    centered[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    warped = cv2.warpAffine(
        image.pixels,
        centered,
        (window.width, window.height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(spec.pad_value,) * spec.channels,
    )
    view[:] = warped.reshape(view.shape)  # OpenCV drops an axis of one channel
    boxes, kept = warp_boxes(image.boxes_xyxy, matrix, window)
    return boxes, image.labels[kept]


def _affine(
    shape: tuple[int, ...],
    window: Window,
    spec: PreprocessSpec,
    config: AugmentConfig,
    rng: np.random.Generator,
    zoom: float,
) -> np.ndarray:
    """(2, 3) float64: image pixels to window pixels."""
    height, width = shape
    rows, columns = spec.input_size
    fit_x, fit_y = columns / width, rows / height
    if spec.resize == "letterbox":
        fit_x = fit_y = min(fit_x, fit_y)
    low, high = config.scale
    factor = zoom * math.exp(rng.uniform(math.log(low), math.log(high)))
    scale_x, scale_y = fit_x * factor, fit_y * factor
    mirrored = rng.random() < config.flip
    angle = math.radians(rng.uniform(-config.rotate, config.rotate))
    cos, sin = math.cos(angle), math.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(
        [-scale_x if mirrored else scale_x, scale_y]
    )
    corners = linear @ np.array([[0.0, width, 0.0, width], [0.0, 0.0, height, height]])
    low_corner, extent = corners.min(axis=1), np.ptp(corners, axis=1)
    free = np.array([window.width, window.height]) - extent
    shift = rng.uniform(-config.translate, config.translate, 2) * (window.width, window.height)
    offset = free * rng.random(2) + shift - low_corner
    return np.concatenate([linear, offset[:, None]], axis=1)


def warp_boxes(
    boxes_xyxy: np.ndarray, matrix: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    """((M, 4) float32 boxes in output pixels, clipped to the window; (N,) bool which were kept)."""
    x0, y0, x1, y1 = boxes_xyxy.T.astype(np.float64)
    xs, ys = np.stack([x0, x1, x0, x1]), np.stack([y0, y0, y1, y1])
    warped_x = matrix[0, 0] * xs + matrix[0, 1] * ys + matrix[0, 2]
    warped_y = matrix[1, 0] * xs + matrix[1, 1] * ys + matrix[1, 2]
    whole = np.stack([warped_x.min(0), warped_y.min(0), warped_x.max(0), warped_y.max(0)], axis=1)
    limit = np.array([window.width, window.height] * 2, np.float64)
    seen = np.clip(whole, 0.0, limit)
    kept = (_area(seen) > _VISIBLE * _area(whole)) & (
        np.minimum(seen[:, 2] - seen[:, 0], seen[:, 3] - seen[:, 1]) >= _MIN_SIDE
    )
    offset = np.array([window.left, window.top] * 2, np.float64)
    return (seen[kept] + offset).astype(np.float32), kept


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def jitter_color(
    image: np.ndarray, config: AugmentConfig, rng: np.random.Generator, *, rgb: bool
) -> np.ndarray:
    """Shifts hue, scales saturation and value by a table of 256 entries each.

    image: (H, W, C) uint8, returned so. Of an image in gray, the value alone is there to be scaled; the
    random numbers drawn are the same.
    """
    hue, saturation, value = rng.uniform(-1, 1, 3) * (config.hue, config.saturation, config.value)
    if config.grey and rng.random() < config.grey:
        saturation = -1.0
    x = np.arange(256, dtype=np.float64)
    table = np.stack(
        [
            np.rint(x + hue) % 180,
            np.clip(np.rint(x * (1 + saturation)), 0, 255),
            np.clip(np.rint(x * (1 + value)), 0, 255),
        ],
        axis=1,
    )
    if image.shape[2] == 1:
        return np.asarray(table[:, 2].astype(np.uint8)[image])
    there, back = (
        (cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB) if rgb else (cv2.COLOR_BGR2HSV, cv2.COLOR_HSV2BGR)
    )
    shifted = cv2.LUT(cv2.cvtColor(image, there), table.astype(np.uint8)[None])
    return np.asarray(cv2.cvtColor(shifted, back), np.uint8)
