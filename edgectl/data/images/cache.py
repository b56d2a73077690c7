"""Pixels ready to be augmented: decoded once, shrunk to about twice the input size, held in memory.

Decoding a JPEG costs more than everything augmentation does to it. Twice the input size leaves
room to zoom in without blur.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from edgectl.data.images.orientation import read_labelled
from edgectl.data.images.preprocess import in_order, resize_to, to_gray
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec, Size

_OVERSAMPLE = 2.0
_THREADS = 2

# augmentation and the loader have threads of their own; OpenMP inside OpenCV would fight torch
cv2.setNumThreads(0)


@dataclass(frozen=True)
class Image:
    """Attributes:
    pixels: (H, W, C) uint8 in the spec's channel order, crowd regions filled with its pad value.
    boxes_xyxy: (N, 4) float32 in ``pixels`` coordinates, crowd left out.
    labels: (N,) int64.
    image_label: class of the whole image, where the set has such.
    """

    pixels: np.ndarray
    boxes_xyxy: np.ndarray
    labels: np.ndarray
    image_label: int | None = None


class ImageCache:
    """A sequence of training images.

    Args:
        samples: what to read.
        spec: gives input size and channel order.
        enabled: False decodes at every access, for sets larger than memory.

    Raises:
        DataError: on construction: an image that cannot be decoded, or not of the annotated size.
    """

    def __init__(
        self, samples: Sequence[Sample], spec: PreprocessSpec, *, enabled: bool = True
    ) -> None:
        self._samples = tuple(samples)
        self._spec = spec
        self._images: list[Image] | None = None
        if enabled:
            with ThreadPoolExecutor(_THREADS) as pool:
                self._images = list(pool.map(lambda s: read_image(s, spec), self._samples))

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Image:
        if self._images is not None:
            return self._images[index]
        return read_image(self._samples[index], self._spec)

    @property
    def nbytes(self) -> int:
        """Memory held by pixels."""
        return sum(p.pixels.nbytes for p in self._images or ())


def read_image(sample: Sample, spec: PreprocessSpec) -> Image:
    """Decodes one image, scaled down to at most twice the network's input."""
    pixels, sample = read_labelled(sample, spec.pad_value)
    height, width = pixels.shape[:2]
    size = cached_size(height, width, spec)
    if spec.channels == 1:
        pixels = to_gray(pixels)
    if size != (height, width):
        pixels = resize_to(pixels, size)
    factor = np.array([pixels.shape[1] / width, pixels.shape[0] / height] * 2, np.float32)
    boxes, wanted = sample.boxes_xyxy * factor, ~sample.crowd
    if sample.crowd.any():
        pixels = _without(pixels, boxes[sample.crowd], boxes[wanted], spec.pad_value)
    return Image(
        np.ascontiguousarray(pixels if spec.channels == 1 else in_order(pixels, spec)),
        boxes[wanted],
        sample.labels[wanted],
        sample.image_label,
    )


def _without(
    pixels: np.ndarray, regions: np.ndarray, objects: np.ndarray, value: int
) -> np.ndarray:
    """Crowd regions filled with ``value``, but for the objects in them.

    What is in such a region is neither a target nor background: nobody has said which objects it holds.
    Like what lies beside the image it teaches nothing.
    """
    filled = pixels.copy()
    for box in regions:
        filled[_pixels_of(box)] = value
    for box in objects:
        filled[_pixels_of(box)] = pixels[_pixels_of(box)]
    return filled


def _pixels_of(box: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns a box touches."""
    x0, y0 = np.floor(np.maximum(box[:2], 0)).astype(int).tolist()
    x1, y1 = np.ceil(np.maximum(box[2:], 0)).astype(int).tolist()
    return slice(y0, y1), slice(x0, x1)


def cached_size(height: int, width: int, spec: PreprocessSpec) -> Size:
    """(height, width) an image of that size is kept at."""
    rows, columns = spec.input_size
    scale = min(1.0, _OVERSAMPLE * min(rows / height, columns / width))
    return max(1, round(height * scale)), max(1, round(width * scale))
