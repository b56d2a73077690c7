"""Contact sheets: images with their boxes, as stored or as training sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from edgectl.config.schema import AugmentConfig
from edgectl.data.images.cache import ImageCache
from edgectl.data.images.orientation import read_labelled
from edgectl.data.images.preprocess import resize_image
from edgectl.data.loading.augment import augment
from edgectl.data.loading.loader import Batch
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec, Size

_COLOURS = (
    (60, 180, 75), (230, 60, 60), (0, 130, 255), (255, 190, 0), (200, 60, 220), (0, 200, 200),
)  # fmt: skip
_GAP = 4

Labelled = tuple[np.ndarray, np.ndarray, list[str]]
"""(H, W, 3) uint8 rgb, (N, 4) boxes in its pixels, N names; one name and no box for a whole image."""


def plain(samples: Sequence[Sample], classes: Sequence[str], size: Size) -> Iterator[Labelled]:
    """As evaluation sees them."""
    spec = PreprocessSpec(size)
    for sample in samples:
        pixels, upright = read_labelled(sample)
        image, geometry = resize_image(pixels, spec)
        names = [classes[i] for i in upright.class_labels()]
        yield image, geometry.to_input(upright.boxes_xyxy), names


def augmented(
    samples: Sequence[Sample], classes: Sequence[str], size: Size, config: AugmentConfig, seed: int
) -> Iterator[Labelled]:
    """As detection training sees them: zoom, mosaic, flip, color."""
    spec = PreprocessSpec(size)
    cache = ImageCache(samples, spec)
    for i in range(len(samples)):
        rng = np.random.default_rng((seed, i))
        image, boxes, labels = augment(
            i, cache.__getitem__, len(cache), spec, config, rng, mosaic=True
        )
        yield image, boxes, [classes[k] for k in labels]


def batch_images(batch: Batch, classes: Sequence[str]) -> list[Labelled]:
    """The very images and labels of one training batch."""
    targets = batch.targets
    whole = targets.image_labels
    made = []
    for i, image in enumerate(batch.images.permute(0, 2, 3, 1).numpy()):
        labels = targets.labels[i].tolist()
        if whole is not None:
            # mixed images have shares of several classes: the largest stands for them
            labels = [int(whole[i].argmax() if whole.ndim == 2 else whole[i])]
        made.append((image, targets.boxes_xyxy[i].numpy(), [classes[k] for k in labels]))
    return made


def png(sheet: np.ndarray) -> bytes:
    """(H, W, 3) uint8 bgr as a file's contents."""
    done, data = cv2.imencode(".png", sheet)
    assert done
    return data.tobytes()


def contact_sheet(images: Sequence[Labelled], classes: Sequence[str]) -> np.ndarray:
    """(H, W, 3) uint8 bgr: a grid as square as may be. Images of one size."""
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    height, width = images[0][0].shape[:2]
    sheet = np.full((rows * (height + _GAP), columns * (width + _GAP), 3), 255, np.uint8)
    for k, (image, boxes, names) in enumerate(images):
        top, left = k // columns * (height + _GAP), k % columns * (width + _GAP)
        drawn = _draw(image, boxes, names, classes)
        sheet[top : top + height, left : left + width] = drawn
    return cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)


def _draw(
    image: np.ndarray, boxes: np.ndarray, names: Sequence[str], classes: Sequence[str]
) -> np.ndarray:
    canvas = np.ascontiguousarray(image)
    if names and not len(boxes):
        _write(canvas, names[0], (3, 12), _color(names[0], classes))
    for box, name in zip(boxes, names, strict=False):
        color = _color(name, classes)
        x0, y0, x1, y1 = (round(float(v)) for v in box)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), color, 1)
        _write(canvas, name, (x0, max(9, y0 - 2)), color)
    return canvas


def _color(name: str, classes: Sequence[str]) -> tuple[int, int, int]:
    return _COLOURS[list(classes).index(name) % len(_COLOURS)]


def _write(canvas: np.ndarray, text: str, at: tuple[int, int], color: tuple[int, ...]) -> None:
    for thickness, ink in ((3, (0, 0, 0)), (1, color)):
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.35, ink, thickness, cv2.LINE_AA)
