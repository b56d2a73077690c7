"""The score threshold a model ships with, chosen on images that are in neither train nor valid.

With a dozen held-back images the metric is a ragged function of the threshold, and its highest
spike is luck. So the threshold the model came with is kept as nearly as the images allow: of all
thresholds that are not worse than the best by more than one standard error (Breiman et al.,
Classification and Regression Trees, 1984, section 3.4.3), the one closest to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from edgectl.metrics.evaluator import EvalBatch, Metrics, Predictor, Record, record, score
from edgectl.plugins.family import Postprocess
from edgectl.spec import OperatingPoint, OutputSpec

THRESHOLDS: tuple[float, ...] = tuple(i / 50 for i in range(1, 50))
"""0.02 to 0.98."""

_SMOOTHING = 5
"""Thresholds averaged: a window of 0.1 in score."""


def choose_operating_point(
    predict: Predictor,
    batches: Iterable[EvalBatch],
    postprocess: Postprocess,
    specs: Sequence[OutputSpec],
    metrics: Metrics,
    *,
    source: str,
) -> OperatingPoint:
    """Runs the predictor over held-back images and sweeps the threshold; see :func:`sweep`."""
    records = list(record(predict, batches))
    return sweep(records, postprocess, specs, metrics, source=source)


def sweep(
    records: Sequence[Record],
    postprocess: Postprocess,
    specs: Sequence[OutputSpec],
    metrics: Metrics,
    *,
    source: str,
) -> OperatingPoint:
    """Sweeps the threshold over recorded heads, starting from ``postprocess.threshold``: the family's
    default, or what was chosen before. It is left at the choice.

    ``source`` says which images these are.
    """
    prior = postprocess.threshold
    figures = []
    for threshold in THRESHOLDS:
        postprocess.threshold = threshold
        figures.append(float(score(records, postprocess, specs, metrics)[metrics.main]))
    objects = sum(len(labels) for r in records for labels in r.targets.labels)
    chosen = closest_equivalent(figures, prior, objects)
    postprocess.threshold = THRESHOLDS[chosen]
    return OperatingPoint(THRESHOLDS[chosen], source, figures[chosen])


def closest_equivalent(figures: Sequence[float], prior: float, objects: int) -> int:
    """Index of the threshold closest to ``prior`` among those within one standard error of the best.

    figures: the metric at each of :data:`THRESHOLDS`, larger is better; smoothed before use.
    objects: how many the metric was estimated on.
    """
    half = _SMOOTHING // 2
    padded = np.pad(np.asarray(figures, np.float64), half, mode="edge")
    curve = np.convolve(padded, np.full(_SMOOTHING, 1.0 / _SMOOTHING), mode="valid")
    best = float(curve.max())
    allowed = np.flatnonzero(curve >= best - standard_error(best, objects))
    distance = np.abs(np.asarray(THRESHOLDS)[allowed] - prior)
    return int(allowed[int(distance.argmin())])


def standard_error(score: float, objects: int) -> float:
    """Estimate the standard error of a rate in 0..1 estimated on ``objects`` trials, after Laplace's rule
    of succession (so that a perfect score on three objects is not taken for certain). A score below 0,
    which says that there was nothing to find, counts as 0."""
    rate = (min(1.0, max(0.0, score)) * objects + 1.0) / (objects + 2.0)
    return math.sqrt(rate * (1.0 - rate) / (objects + 2.0))
