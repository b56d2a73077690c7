"""Detections compared as sets: kernels round differently, so equal scores come in any order."""

from __future__ import annotations

import torch

from edgectl.labels import Detections
from edgectl.nn.boxes import iou


def require_same_detections(
    found: Detections,
    wanted: Detections,
    *,
    score: float,
    overlap: float = 0.99,
    near: float | None = None,
) -> None:
    """Asserts that every detection has a partner of the same label, score and box.

    Args:
        score: how far scores of partners may be apart.
        overlap: least IoU of partners' boxes, where there are boxes.
        near: the score threshold both were cut at. Detections within ``score`` of it may stand alone.
    """
    free = list(range(len(wanted.scores)))
    alone = []
    for i in range(len(found.scores)):
        partner = _partner(found, i, wanted, free, score, overlap)
        if partner is None:
            alone.append(float(found.scores[i]))
        else:
            free.remove(partner)
    alone += [float(wanted.scores[k]) for k in free]
    far = [s for s in alone if near is None or abs(s - near) > score]
    assert not far, f"without a partner: scores {far}"


def _partner(
    found: Detections, i: int, wanted: Detections, free: list[int], score: float, overlap: float
) -> int | None:
    """The free detection most like the ``i``-th found; None where none is like it."""
    alike = [
        k
        for k in free
        if found.labels[i] == wanted.labels[k]
        and abs(float(found.scores[i] - wanted.scores[k])) <= score
    ]
    if not alike or not len(found.boxes_xyxy):
        return alike[0] if alike else None
    shared = iou(wanted.boxes_xyxy[alike], found.boxes_xyxy[i].expand(len(alike), 4))
    best = int(shared.argmax())
    same = torch.equal(wanted.boxes_xyxy[alike[best]], found.boxes_xyxy[i])
    return alike[best] if same or float(shared[best]) >= overlap else None
