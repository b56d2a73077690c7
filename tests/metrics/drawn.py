"""Ground truth and detections drawn at random, in original pixels and as a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from edgectl.data.images.preprocess import letterbox_geometry
from edgectl.labels import Detections, Sample, SourceImage, Targets
from edgectl.metrics.coco_library import ImageBoxes
from edgectl.spec import PreprocessSpec


def sample(
    boxes: Sequence[Sequence[float]],
    labels: Sequence[int],
    *,
    size: tuple[int, int] = (640, 480),
    crowd: Sequence[bool] | None = None,
    areas: Sequence[float] | None = None,
) -> Sample:
    """size: (width, height)."""
    return Sample(
        Path("drawn.png"),
        *size,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(crowd if crowd is not None else [False] * len(labels), bool),
        None if areas is None else np.array(areas, np.float32),
    )


def targets(samples: Sequence[Sample], spec: PreprocessSpec) -> Targets:
    """As an EvalLoader gives them."""
    sources = [SourceImage(s, letterbox_geometry(s.height, s.width, spec)[1]) for s in samples]
    boxes = [torch.from_numpy(s.geometry.to_input(s.sample.boxes_xyxy)) for s in sources]
    kept = [torch.from_numpy(~s.crowd) for s in samples]
    labels = [torch.from_numpy(s.labels) for s in samples]
    return Targets(
        [b[k] for b, k in zip(boxes, kept, strict=True)],
        [v[k] for v, k in zip(labels, kept, strict=True)],
        sources,
    )


def detections(
    boxes: Sequence[Sequence[float]], labels: Sequence[int], scores: Sequence[float]
) -> Detections:
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(labels, dtype=torch.int64),
    )


def random_images(seed: int, count: int, classes: int, *, crowd: float = 0.1) -> list[ImageBoxes]:
    """Objects of all sizes, found more or less well, among false detections; scores with ties."""
    rng = np.random.default_rng(seed)
    return [random_image(rng, classes, crowd) for _ in range(count)]


def random_image(rng: np.random.Generator, classes: int, crowd: float) -> ImageBoxes:
    n, false = int(rng.integers(0, 12)), int(rng.integers(0, 30))
    corner, side = rng.uniform(0, 400, (n, 2)), np.exp(rng.uniform(1, 5.3, (n, 2)))
    truth = np.concatenate([corner, corner + side], axis=1)
    seen = truth + rng.normal(0, 0.12, (n, 4)) * np.tile(side, 2)
    a, b = rng.uniform(0, 600, (2, false, 2))
    ghosts = np.concatenate([np.minimum(a, b), np.maximum(a, b) + 1], axis=1)
    labels = rng.integers(0, classes, n)
    return ImageBoxes(
        truth_xyxy=truth.astype(np.float32),
        truth_labels=labels,
        truth_crowd=rng.random(n) < crowd,
        truth_areas=side.prod(axis=1) * rng.uniform(0.5, 1.0, n),
        boxes_xyxy=np.concatenate([seen, ghosts]).astype(np.float32),
        labels=np.concatenate([labels, rng.integers(0, classes, false)]),
        scores=np.round(rng.uniform(0, 1, n + false), 2).astype(np.float32),
    )
