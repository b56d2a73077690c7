"""The task. See :class:`edgectl.tasks.contract.Task`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from edgectl.config.schema import RunConfig
from edgectl.data.images.annotate import Mark, annotate, color_class, measure_line
from edgectl.data.images.disk_cache import open_cache
from edgectl.data.index import DatasetIndex
from edgectl.data.loading.batches import BatchLoader
from edgectl.data.loading.loader import EvalLoader
from edgectl.data.loading.shard import Shard
from edgectl.errors import DataError
from edgectl.labels import Detections, Geometry, Sample, Targets
from edgectl.metrics.evaluator import EvalBatch, Metrics
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl_meter.batches import PointBatches
from edgectl_meter.dials import draw_split
from edgectl_meter.metric import PointMetric
from edgectl_meter.points import centers_of, mark_points, read_dial


class MeterTask:
    """Stateless."""

    def require_labels(
        self, index: DatasetIndex, samples: Sequence[Sample], *, learner: str
    ) -> None:
        """Every image has every key point once."""
        every = list(range(len(index.classes)))
        for sample in samples:
            if sorted(sample.labels.tolist()) != every:
                raise DataError(
                    f"'{index.name}' ({index.format}) does not have one "
                    f"{', one '.join(index.classes)} in each image; {learner} learns key points",
                    where=str(sample.path),
                    fix="--data with key points, for example demo_dials",
                )

    def metrics(
        self, classes: Sequence[str], outputs: Sequence[OutputSpec], input_size: Size
    ) -> Metrics:
        """SSCMA's Acc decides."""
        return Metrics(main="acc", build=lambda: PointMetric(classes), tuned=False)

    def train_batches(
        self,
        samples: Sequence[Sample],
        spec: PreprocessSpec,
        config: RunConfig,
        *,
        num_classes: int,
        batch: int,
        shard: Shard = Shard(),
    ) -> BatchLoader:
        """Of ``[augment]``: scale, translate, rotate, hue, saturation, value and repeats."""
        cache = open_cache(samples, spec, config.data.cache)
        seed = config.train.seed
        return PointBatches(cache, spec, config.augment, batch=batch, seed=seed, shard=shard)

    def eval_batches(
        self, samples: Sequence[Sample], spec: PreprocessSpec, *, batch: int
    ) -> Iterable[EvalBatch]:
        """Core's: marks are boxes."""
        return EvalLoader(samples, spec, batch)

    def describe_results(
        self, found: Detections, geometry: Geometry, size: Size, classes: Sequence[str]
    ) -> list[dict[str, Any]]:
        """``label`` and ``point`` [x, y] for each key point; before them, where the points tell it,
        ``label`` reading with ``value``, the share of the scale."""
        boxes = torch.from_numpy(geometry.to_original(found.boxes_xyxy.numpy()))
        limit = torch.tensor([size[1], size[0]])
        points = centers_of(boxes, found.labels).clamp_min(0).minimum(limit).tolist()
        rows: list[dict[str, Any]] = [
            {"label": name, "point": [round(v, 2) for v in point]}
            for name, point in zip(classes, points, strict=True)
        ]
        shown = read_dial(dict(zip(classes, points, strict=True)))
        if shown is not None:
            rows.insert(0, {"label": "reading", "value": round(shown, 4)})
        return rows

    def summarize_results(self, rows: Sequence[dict[str, Any]]) -> str:
        """``reading 0.42, center 56 55, ...``"""
        return ", ".join(
            f"{r['label']} {r['value']:.2f}"
            if "value" in r
            else f"{r['label']} {r['point'][0]:.0f} {r['point'][1]:.0f}"
            for r in rows
        )

    def draw_results(
        self, image_bgr: np.ndarray, rows: list[dict[str, Any]], classes: Sequence[str]
    ) -> np.ndarray:
        """The pointer as a line, every point as a dot with its name, the reading in the corner."""
        canvas = image_bgr.copy()
        width = measure_line(canvas)
        colors = {name: color_class(i) for i, name in enumerate(classes)}
        places = {r["label"]: tuple(round(v) for v in r["point"]) for r in rows if "point" in r}
        if {"center", "tip"} <= set(places):
            cv2.line(canvas, places["center"], places["tip"], colors["tip"], width)
        for name, place in places.items():
            cv2.circle(canvas, place, 2 * width, colors[name], -1, cv2.LINE_AA)
        marks = [Mark(name, colors[name], place * 2) for name, place in places.items()]
        marks += [Mark(f"{r['value']:.2f}", (255, 255, 255)) for r in rows if "value" in r]
        return annotate(canvas, marks)

    def board_decoder(self) -> str:
        """``board/decode.py``."""
        return (resources.files("edgectl_meter") / "board" / "decode.py").read_text("utf-8")

    def example_targets(
        self, images: int, size: Size, num_classes: int, *, empty: bool = False
    ) -> Targets:
        """Points away from the border; there is no image without them."""
        height, width = size
        rng = np.random.default_rng(0)
        points = rng.uniform(0.2, 0.8, (images, num_classes, 2)) * (width, height)
        boxes = [torch.from_numpy(mark_points(p)) for p in points]
        return Targets(boxes, [torch.arange(num_classes)] * images)

    def draw_example_split(self, directory: Path, count: int, key: int) -> None:
        """Drawn dials."""
        draw_split(directory, count, (1, key))
