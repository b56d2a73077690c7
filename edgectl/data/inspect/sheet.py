"""Contact sheets: images with their boxes, as stored or as training sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from edgectl.config.schema import AugmentConfig
from edgectl.data.images.annotate import Mark, annotate, color_class
from edgectl.data.images.cache import ImageCache
from edgectl.data.images.orientation import read_labelled
from edgectl.data.images.preprocess import resize_image
from edgectl.data.loading.augment import augment
from edgectl.data.loading.loader import Batch
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec, Size

_GAP = 4
_LEAST_SIDE = 192

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
    images = [_enlarge(*image) for image in images]
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    height, width = images[0][0].shape[:2]
    sheet = np.full((rows * (height + _GAP), columns * (width + _GAP), 3), 255, np.uint8)
    for k, (image, boxes, names) in enumerate(images):
        top, left = k // columns * (height + _GAP), k % columns * (width + _GAP)
        drawn = _draw(image, boxes, names, classes)
        sheet[top : top + height, left : left + width] = drawn
    return sheet


def _enlarge(image: np.ndarray, boxes: np.ndarray, names: list[str]) -> Labelled:
    """So many times as large that names can be read beside what they name."""
    times = max(1, -(-_LEAST_SIDE // max(image.shape[:2])))
    large = image.repeat(times, axis=0).repeat(times, axis=1)
    return large, boxes * times, names


def _draw(
    image: np.ndarray, boxes: np.ndarray, names: Sequence[str], classes: Sequence[str]
) -> np.ndarray:
    known = list(classes)
    places: list[Sequence[float] | None] = list(boxes) if len(boxes) else [None]
    marks = [
        Mark(name, color_class(known.index(name)), place)
        for place, name in zip(places, names, strict=False)
    ]
    return annotate(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), marks)
