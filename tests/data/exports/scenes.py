"""Random labelled images, for writers that know nothing of edgectl."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

NAMES = ("cat", "dog", "no", "007", "Käse", "big dog", "a/b", "null", "Zebra")
STEMS = ("img", "my photo", "Käse", "IMG_0001", "a.b", "x-1", "frame 07")


@dataclass
class Scene:
    """boxes: x0 y0 x1 y1 whole pixels, and the class."""

    stem: str
    split: str
    width: int
    height: int
    boxes: list[tuple[int, int, int, int, str]] = field(default_factory=list)

    @property
    def file(self):
        return f"{self.stem}.png"


def draw(scene: Scene, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / scene.file
    seed = sum(map(ord, scene.stem))
    value = np.full((scene.height, scene.width, 3), seed % 200 + 20, np.uint8)
    path.write_bytes(cv2.imencode(".png", value)[1].tobytes())
    return path


def make_scenes(seed: int, *, splits=("train", "val")) -> tuple[list[str], list[Scene]]:
    """(class names, scenes). Every class occurs in train; each image has an object, most several."""
    rng = random.Random(seed)
    names = sorted(rng.sample(NAMES, rng.randint(1, 4)))
    scenes = []
    for split in splits[: rng.randint(1, len(splits))]:
        for i in range(rng.randint(2, 4)):
            stem = f"{rng.choice(STEMS)}{split[0]}{i}"
            scene = Scene(stem, split, rng.randint(30, 90), rng.randint(30, 90))
            for k in range(rng.randint(1, 5)):
                x0, y0 = rng.randint(0, scene.width - 12), rng.randint(0, scene.height - 12)
                x1, y1 = rng.randint(x0 + 8, scene.width), rng.randint(y0 + 8, scene.height)
                name = names[k % len(names)] if i == 0 else rng.choice(names)
                scene.boxes.append((x0, y0, x1, y1, name))
            if i == 0:
                for name in names[len(scene.boxes) :]:
                    scene.boxes.append((0, 0, 9, 9, name))
            scenes.append(scene)
    return names, scenes
