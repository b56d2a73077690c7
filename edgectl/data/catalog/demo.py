"""``demo_mask``: a set drawn by the program, so that the whole line runs without a network.

Roboflow's COCO layout, dummy category included. Every image depends on the seed, its split and
its number alone; the same seed gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgectl.data.catalog.cartoon import Pen, Rng, any_color, draw_clutter, draw_head
from edgectl.data.formats.coco.layouts import ROBOFLOW_FILE

SPLITS = {"train": 240, "valid": 120, "test": 60}
CLASSES = ("mask", "no-mask")

_SIDES = (256, 481)
_MOST_HEADS = 6
# of the image's shorter side: at 96 px input the smallest head still covers its cell
_HEAD_RADIUS = (0.07, 0.2)
_TRIES = 20


def generate(directory: Path, seed: int) -> None:
    """Draws 420 images into ``directory``, which exists, in a few seconds."""
    for number, (split, count) in enumerate(SPLITS.items()):
        draw_split(directory / split, count, (seed, number))


def draw_split(directory: Path, count: int, key: tuple[int, ...]) -> None:
    """``count`` images and their annotation file; the numbers of ``key`` are the seed."""
    directory.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i in range(count):
        rng = np.random.default_rng((*key, i))
        image, boxes, labels = draw_scene(rng)
        name = f"{i:04d}.jpg"
        quality = int(rng.integers(60, 96))
        _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        (directory / name).write_bytes(encoded.tobytes())
        height, width = image.shape[:2]
        images.append({"id": i, "file_name": name, "width": width, "height": height})
        annotations += [
            _annotation(len(annotations) + j, i, box, label)
            for j, (box, label) in enumerate(zip(boxes, labels, strict=True))
        ]
    document = {"images": images, "annotations": annotations, "categories": _categories()}
    (directory / ROBOFLOW_FILE).write_text(json.dumps(document), encoding="utf-8")


def _annotation(number: int, image_id: int, box: np.ndarray, label: int) -> dict[str, Any]:
    x0, y0, x1, y1 = (round(float(v), 2) for v in box)
    width, height = round(x1 - x0, 2), round(y1 - y0, 2)
    return {
        "id": number,
        "image_id": image_id,
        "category_id": label + 1,
        "bbox": [x0, y0, width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
    }


def _categories() -> list[dict[str, Any]]:
    dummy = {"id": 0, "name": "faces", "supercategory": "none"}
    real = [{"id": i, "name": n, "supercategory": "faces"} for i, n in enumerate(CLASSES, start=1)]
    return [dummy, *real]


def draw_scene(rng: Rng) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """((H, W, 3) uint8 bgr, (N, 4) boxes in pixels, N labels)."""
    height, width = (int(v) for v in rng.integers(*_SIDES, size=2))
    image = _background(height, width, rng)
    for _ in range(int(rng.integers(8, 20))):
        draw_clutter(_somewhere(image, rng), rng)
    boxes: list[np.ndarray] = []
    labels: list[int] = []
    wanted = int(rng.integers(1, _MOST_HEADS + 1))
    for _ in range(_TRIES * wanted):
        if len(boxes) == wanted:
            break
        pen = _somewhere(image, rng)
        if not _is_free(pen, boxes, width, height):
            continue
        label = int(rng.integers(len(CLASSES)))
        boxes.append(np.clip(draw_head(pen, rng, masked=label == 0), 0, [width, height] * 2))
        labels.append(label)
    return _photograph(image, rng), np.array(boxes).reshape(-1, 4), labels


def _somewhere(image: np.ndarray, rng: Rng) -> Pen:
    height, width = image.shape[:2]
    radius = np.exp(rng.uniform(*np.log(_HEAD_RADIUS))) * min(height, width)
    radii = (float(radius * rng.uniform(0.75, 0.95)), float(radius))
    center = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
    return Pen.at(image, center, radii, float(rng.normal(0.0, 0.15)))


def _is_free(pen: Pen, taken: list[np.ndarray], width: int, height: int) -> bool:
    """Whether a head here lies in the image and hides no other."""
    (x, y), radius = pen.matrix[:, 2], float(np.abs(pen.matrix[:, :2]).max()) * 1.2
    if x < radius or y < radius or x > width - radius or y > height - radius:
        return False
    return all(
        x + radius < b[0] or x - radius > b[2] or y + radius < b[1] or y - radius > b[3]
        for b in taken
    )


def _background(height: int, width: int, rng: Rng) -> np.ndarray:
    """Soft patches of color under a fine texture."""
    patches = rng.normal(0.0, 40.0, (int(rng.integers(2, 7)), int(rng.integers(2, 7)), 3))
    patches = (patches + any_color(rng)).astype(np.float32)
    soft = cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = rng.standard_normal((height // 3, width // 3), np.float32) * rng.uniform(0.0, 25.0)
    texture = cv2.resize(grain.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(soft + texture[:, :, None], 0, 255).astype(np.uint8))


def _photograph(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Uneven light, color cast, blur and sensor noise."""
    height, width = image.shape[:2]
    corners = rng.uniform(0.55, 1.25, (2, 2)).astype(np.float32)
    light = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)[:, :, None]
    cast = rng.uniform(0.88, 1.12, 3).astype(np.float32)
    lit = image.astype(np.float32) * light * cast
    blurred = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 1.4))
    noise = rng.standard_normal((height, width, 1), np.float32) * np.float32(rng.uniform(1.0, 10.0))
    return np.asarray(np.clip(blurred + noise, 0, 255).astype(np.uint8))
