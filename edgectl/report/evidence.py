"""A model run over a split once more, for what figures alone do not show: which objects, on which images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from edgectl.data.formats.reading.splits import split_name
from edgectl.data.index import DatasetIndex
from edgectl.evaluation.evaluate import EvaluationTarget, require_same_classes, samples_of
from edgectl.labels import Detections, Sample
from edgectl.metrics.bootstrap import ImageScores, Resampled
from edgectl.metrics.evaluator import record
from edgectl.metrics.matches import Curve, ImageMatches, Matching, trace_curve
from edgectl.plugins.family import Postprocess
from edgectl.tasks.lookup import load_task, task_info, task_metrics

_BATCH = 16
_LOW = 0.05
"""Curves begin here: the detections below an operating point are what they are about."""


@dataclass(frozen=True)
class SeenImage:
    """An image and what was found in it.

    Attributes:
        found: detections over the threshold results are shown at, in network-input pixels, by score.
        matches: of those; None where the task's metric does not say who found what.
    """

    sample: Sample
    found: Detections
    matches: ImageMatches | None

    @property
    def mistakes(self) -> int:
        """Objects missed and false alarms."""
        m = self.matches
        return 0 if m is None else int(m.missed(0.0).sum() + m.false_alarms(0.0).sum())

    @property
    def hits(self) -> int:
        """Objects found."""
        return 0 if self.matches is None else int((self.matches.match >= 0).sum())


@dataclass(frozen=True)
class Evidence:
    """What one pass over a split tells.

    Attributes:
        figures: the task's metrics, at the operating point.
        threshold: from which results are shown to people.
        curve: precision and recall at every threshold; None where the task has none.
        scores: what a paired comparison needs; None where the metric cannot be resampled.
        complete: the whole split was seen.
    """

    split: str
    fingerprint: str
    figures: dict[str, Any]
    threshold: float
    images: list[SeenImage]
    curve: Curve | None
    scores: ImageScores | None
    complete: bool


def collect_evidence(
    target: EvaluationTarget,
    index: DatasetIndex,
    split: str,
    *,
    most: int,
    progress: Callable[[int], None] = lambda images: None,
) -> Evidence:
    """Predicts the first ``most`` images of a split.

    Raises:
        DataError: no such split, or other classes than the model's.
    """
    every = samples_of(index, split)
    require_same_classes(index, target.classes)
    samples = every[:most]
    info, task = task_info(target.task), load_task(target.task)
    metrics = task_metrics(
        target.task, target.classes, target.outputs, target.preprocess.input_size
    )
    metric = (metrics.report or metrics.build)()
    postprocess = target.require_postprocess()
    point = postprocess.threshold
    shown = point if info.operating_point else info.shown_threshold or 0.0
    low = min(point, _LOW)
    # where the operating point hides nothing, and where there are no curves, one pass says all
    wide = metric if low == point or info.labels != "boxes" else metrics.build()
    found: list[Detections] = []
    for r in record(target.predict, task.eval_batches(samples, target.preprocess, batch=_BATCH)):
        results = postprocess(r.outputs, target.outputs)
        metric.update(results, r.targets)
        if wide is not metric:
            with _threshold(postprocess, low):
                wide.update(postprocess(r.outputs, target.outputs), r.targets)
        found += results
        progress(len(results))
    matches = metric.matches() if isinstance(metric, Matching) else [None] * len(samples)
    return Evidence(
        split=split_name(split),
        fingerprint=index.fingerprint(split_name(split)),
        figures=metric.compute(),
        threshold=shown,
        images=[_shown(s, d, m, shown) for s, d, m in zip(samples, found, matches, strict=True)],
        curve=trace_curve(wide.matches())
        if info.labels == "boxes" and isinstance(wide, Matching)
        else None,
        scores=metric.per_image() if isinstance(metric, Resampled) else None,
        complete=len(samples) == len(every),
    )


@contextmanager
def _threshold(postprocess: Postprocess, value: float) -> Iterator[None]:
    """Another threshold for a while."""
    before = postprocess.threshold
    postprocess.threshold = value
    try:
        yield
    finally:
        postprocess.threshold = before


def _shown(
    sample: Sample, found: Detections, matches: ImageMatches | None, threshold: float
) -> SeenImage:
    keep = found.scores >= threshold
    if matches is None or bool(keep.all()):
        return SeenImage(sample, found, matches)
    kept = keep.numpy()
    return SeenImage(
        sample,
        Detections(found.boxes_xyxy[keep], found.scores[keep], found.labels[keep]),
        ImageMatches(
            matches.scores[kept],
            matches.labels[kept],
            matches.match[kept],
            matches.counts[kept],
            matches.truth,
        ),
    )
