"""What became of every object: found, taken for another class, badly placed, or missed, and how large
it was for the network.

Average precision says how good a detector is, and not where it fails. The kinds of error follow TIDE
(Bolya et al., 2020, arXiv:2008.08115), counted in objects: at the score where F1 over the scored
images is highest, so that the counts describe the detector at its best. That score is an
explanation, not an operating point: it was chosen on the very images it explains.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgectl.metrics.coco_library import ImageBoxes
from edgectl.metrics.matches import ImageMatches

SIZES = (0.0, 8.0, 16.0, 32.0, float("inf"))
"""Longer side in network-input pixels; the strides of most detectors' grids."""

_FOUND, _NEAR = 0.5, 0.1
"""Overlaps from which a box is on the object, and from which it means the object."""


@dataclass(frozen=True)
class _Image:
    """Overlaps of K detections with N objects, crowd left out.

    Attributes:
        iou: (K, N).
        own: (K, N) bool: same class.
        match: (K,) the object each detection finds by COCO's rule at :data:`_FOUND`, or -1.
        counts: (K,) bool: not on a crowd region.
    """

    boxes: ImageBoxes
    sides: np.ndarray
    iou: np.ndarray
    own: np.ndarray
    match: np.ndarray
    counts: np.ndarray


def error_types(images: Sequence[ImageBoxes], classes: Sequence[str]) -> dict[str, Any]:
    """Plain values for ``--json``.

    Returns:
        ``threshold``; ``by_size``: ``from``, ``below`` (None: no limit), ``objects`` and how many of
        them were ``found``, ``confused``, ``loose``, ``missed``; ``confusions``: ``object``, ``as``,
        ``count``, the most frequent first; ``false_alarms``: detections on nothing; ``duplicates``.
    """
    every = [_overlaps(p) for p in images]
    threshold = _best_threshold(every)
    outcomes: list[str] = []
    confusions: Counter[tuple[str, str]] = Counter()
    false_alarms = duplicates = 0
    for p in every:
        kept = (p.boxes.scores >= threshold) & p.counts
        truth = p.boxes.truth_labels[~p.boxes.truth_crowd]
        found = np.isin(np.arange(len(truth)), p.match[kept])
        on = np.where(kept[:, None] & ~p.own, p.iou, 0.0)
        near = np.where(kept[:, None] & p.own, p.iou, 0.0).max(axis=0, initial=0.0)
        for i, label in enumerate(truth):
            if found[i]:
                outcomes.append("found")
            elif on[:, i].max(initial=0.0) >= _FOUND:
                outcomes.append("confused")
                taken = int(p.boxes.labels[on[:, i].argmax()])
                confusions[classes[int(label)], classes[taken]] += 1
            else:
                outcomes.append("loose" if near[i] >= _NEAR else "missed")
        spare = kept & (p.match < 0)
        again = (p.own & (p.iou >= _FOUND)).any(axis=1)
        duplicates += int((spare & again).sum())
        false_alarms += int((spare & (p.iou.max(axis=1, initial=0.0) < _NEAR)).sum())
    lengths = np.concatenate([p.sides for p in every]) if every else np.zeros(0)
    return {
        "threshold": threshold,
        "by_size": _by_size(np.array(outcomes, dtype=object), lengths),
        "confusions": [
            {"object": true, "as": taken, "count": n}
            for (true, taken), n in confusions.most_common()
        ],
        "false_alarms": false_alarms,
        "duplicates": duplicates,
    }


def match_objects(images: Sequence[ImageBoxes]) -> list[ImageMatches]:
    """Who found what at an overlap of :data:`_FOUND`, crowd left out."""
    return [
        ImageMatches(
            p.boxes.scores,
            p.boxes.labels,
            p.match,
            p.counts,
            p.boxes.truth_labels[~p.boxes.truth_crowd],
        )
        for p in map(_overlaps, images)
    ]


def _by_size(outcomes: np.ndarray, lengths: np.ndarray) -> list[dict[str, Any]]:
    rows = []
    for low, high in itertools.pairwise(SIZES):
        own = outcomes[(lengths >= low) & (lengths < high)]
        kinds = {
            kind: int((own == kind).sum()) for kind in ("found", "confused", "loose", "missed")
        }
        below = None if high == float("inf") else high
        rows.append({"from": low, "below": below, "objects": len(own), **kinds})
    return rows


def _overlaps(p: ImageBoxes) -> _Image:
    real = ~p.truth_crowd
    sides = p.truth_sides
    if sides is None:
        sides = (p.truth_xyxy[:, 2:] - p.truth_xyxy[:, :2]).max(axis=1)
    iou = _iou(p.boxes_xyxy, p.truth_xyxy[real])
    own = p.labels[:, None] == p.truth_labels[real][None]
    usable = np.where(own, iou, 0.0)
    match = np.full(len(p.boxes_xyxy), -1)
    free = np.ones(usable.shape[1], bool)
    candidates = np.flatnonzero((usable >= _FOUND).any(axis=1))
    for k in candidates[np.argsort(-p.scores[candidates], kind="stable")]:
        best = int((usable[k] * free).argmax())
        if free[best] and usable[k, best] >= _FOUND:
            match[k], free[best] = best, False
    crowd = p.truth_xyxy[p.truth_crowd]
    # overlap with a crowd region is the share of the detection inside it
    inside = _intersection(p.boxes_xyxy, crowd) / np.maximum(_area(p.boxes_xyxy)[:, None], 1e-9)
    return _Image(p, sides[real], iou, own, match, (match >= 0) | ~(inside >= _FOUND).any(axis=1))


def _best_threshold(images: Sequence[_Image]) -> float:
    """The score of the highest F1; 0 where nothing was found."""
    objects = sum(p.iou.shape[1] for p in images)
    scores = [p.boxes.scores[p.counts] for p in images]
    hits = [p.match[p.counts] >= 0 for p in images]
    if not images or not any(h.any() for h in hits):
        return 0.0
    score, hit = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-score, kind="stable")
    f1 = 2 * np.cumsum(hit[order]) / (objects + np.arange(1, len(order) + 1))
    last = np.append(score[order][1:] != score[order][:-1], True)  # equal scores stay together
    return float(score[order][np.where(last, f1, -1.0).argmax()])


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    return area


def _intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(K, 4) and (N, 4) to (K, N)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common: np.ndarray = np.clip(high - low, 0, None).prod(axis=2)
    return common


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    common = _intersection(a, b)
    iou: np.ndarray = common / np.maximum(_area(a)[:, None] + _area(b)[None] - common, 1e-9)
    return iou
