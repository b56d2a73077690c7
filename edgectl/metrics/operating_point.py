"""The score threshold a model ships with, chosen on pictures that are in neither train nor valid.

With a dozen held-back pictures the metric is a ragged function of the threshold, and its highest
spike is luck. The curve is smoothed and the middle of its plateau is taken: the point from which
the threshold can be wrong in both directions at the least cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edgectl.metrics.evaluator import EvalBatch, Metrics, Predictor, Record, record, score
from edgectl.protocols import Postprocess
from edgectl.types import OperatingPoint, OutputSpec

THRESHOLDS: tuple[float, ...] = tuple(i / 50 for i in range(1, 50))
"""0.02 to 0.98."""

_SMOOTHING = 5
"""Thresholds averaged: a window of 0.1 in score."""

_PLATEAU = 0.01
"""Of the metric: differences below it mean nothing on a small set."""


def choose_operating_point(
    predict: Predictor,
    batches: Iterable[EvalBatch],
    postprocess: Postprocess,
    specs: Sequence[OutputSpec],
    metrics: Metrics,
    *,
    source: str,
) -> OperatingPoint:
    """Runs the predictor over held-back pictures and sweeps the threshold; see :func:`sweep`."""
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
    """Sweeps the threshold over recorded heads; ``postprocess.threshold`` is left at the choice.

    ``source`` says which pictures these are. Where every threshold scores alike (an untrained
    network finds nothing at any) the middle of the range is returned.
    """
    figures = []
    for threshold in THRESHOLDS:
        postprocess.threshold = threshold
        figures.append(float(score(records, postprocess, specs, metrics)[metrics.main]))
    chosen = plateau_centre(figures)
    postprocess.threshold = THRESHOLDS[chosen]
    return OperatingPoint(THRESHOLDS[chosen], source, figures[chosen])


def plateau_centre(figures: Sequence[float]) -> int:
    """Index of the middle of the plateau around the maximum of the smoothed curve.

    figures: one value a threshold, in order, equally spaced; larger is better.
    """
    half = _SMOOTHING // 2
    padded = np.pad(np.asarray(figures, np.float64), half, mode="edge")
    curve = np.convolve(padded, np.full(_SMOOTHING, 1.0 / _SMOOTHING), mode="valid")
    first = last = int(np.argmax(curve))
    floor = curve[first] - _PLATEAU
    while first > 0 and curve[first - 1] >= floor:
        first -= 1
    while last < len(curve) - 1 and curve[last + 1] >= floor:
        last += 1
    return (first + last) // 2
