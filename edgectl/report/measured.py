"""The parts of the page that need the model run again: images, curves, classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgectl.data.images.annotate import Bgr
from edgectl.evaluation.evaluate import EvaluationTarget
from edgectl.metrics.matches import Curve
from edgectl.report import examples
from edgectl.report.charts import Axis, Note, Series, line_chart
from edgectl.report.evidence import Evidence
from edgectl.tasks.lookup import task_info

_SHOWN = 6
"""Images of each kind."""
_LARGEST_MATRIX = 25
_MOST_CLASSES = 100


def describe_examples(target: EvaluationTarget, evidence: Evidence) -> dict[str, Any]:
    """``worst``, ``best`` and the words around them."""
    worst, best = examples.choose_examples(evidence.images, _SHOWN)
    drawn = [
        [examples.draw_example(i, target.preprocess, target.task, target.classes) for i in chosen]
        for chosen in (worst, best)
    ]
    known = all(i.matches is not None for i in evidence.images)
    mistakes = sum(i.mistakes > 0 for i in evidence.images)
    part = "" if evidence.complete else "the first "
    note = f"{len(evidence.images)} images of {part}'{evidence.split}' looked at"
    if known:
        note += f", {mistakes} with at least one mistake"
    if evidence.threshold:
        note += f"; results from a score of {evidence.threshold:.2f} on"
    return {
        "worst": drawn[0],
        "best": drawn[1],
        "best_title": "Without a mistake" if known else f"The first of '{evidence.split}'",
        "seen_note": note + ".",
        "colors": {
            "found": _css(examples.FOUND),
            "missed": _css(examples.MISSED),
            "wrong": _css(examples.WRONG),
        },
    }


def describe_scores(evidence: Evidence) -> dict[str, Any]:
    """``per_class``, ``per_class_keys`` and ``confusion``."""
    figures = evidence.figures
    per_class = dict(list(figures.get("per_class", {}).items())[:_MOST_CLASSES])
    keys = list(dict.fromkeys(k for row in per_class.values() for k in row))
    counts = figures.get("confusion")
    confusion = None
    if counts and len(counts) <= _LARGEST_MATRIX:
        rows = [
            [{"count": n, "share": round(70 * n / max(1, sum(row)))} for n in row] for row in counts
        ]
        confusion = {"names": list(figures["per_class"]), "rows": rows}
    return {"per_class": per_class, "per_class_keys": keys, "confusion": confusion}


def describe_curves(
    target: EvaluationTarget, evidence: Evidence, other: tuple[str, Evidence | None] | None
) -> dict[str, Any]:
    """``curves``: precision against recall, F1 against the threshold; those of another run dashed."""
    curve = evidence.curve
    if curve is None:
        return {}
    point = (
        target.require_postprocess().threshold if task_info(target.task).operating_point else None
    )
    at = int(np.argmax(curve.f1)) if point is None else _nearest(curve, point)
    words = "best F1" if point is None else "operating point"
    mark = f"{words}, score {curve.scores[at]:.2f}"
    pairs = [Series("this run", _points(curve.recall, curve.precision))]
    scores = [Series("this run", _points(curve.scores[::-1], curve.f1[::-1]))]
    if other is not None and other[1] is not None and other[1].curve is not None:
        theirs = other[1].curve
        pairs.append(Series(other[0], _points(theirs.recall, theirs.precision), dashed=True))
        scores.append(Series(other[0], _points(theirs.scores[::-1], theirs.f1[::-1]), dashed=True))
    recall = line_chart(
        "Precision against recall",
        pairs,
        Axis("recall", 0.0, 1.0),
        Axis("precision", 0.0, 1.0),
        [Note(mark, float(curve.recall[at]), float(curve.precision[at]))],
    )
    f1 = line_chart(
        "F1 against the score threshold",
        scores,
        Axis("score threshold", 0.0, 1.0),
        Axis("F1", 0.0, 1.0),
        [Note(f"F1 {curve.f1[at]:.3f}", float(curve.scores[at]), float(curve.f1[at]))],
    )
    return {
        "curves": [
            {"svg": recall, "caption": f"All classes together, on '{evidence.split}'."},
            {
                "svg": f1,
                "caption": f"What each threshold gives on '{evidence.split}'; dot: {mark}.",
            },
        ]
    }


def _nearest(curve: Curve, threshold: float) -> int:
    """The last point a threshold still shows."""
    shown = int((curve.scores >= threshold).sum())
    return max(0, shown - 1)


def _points(xs: np.ndarray, ys: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]


def _css(color: Bgr) -> str:
    blue, green, red = color
    return f"#{red:02x}{green:02x}{blue:02x}"
