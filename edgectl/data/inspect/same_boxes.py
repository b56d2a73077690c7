"""Boxes that lie on one another: an object drawn twice."""

from __future__ import annotations

import numpy as np

_SAME_IOU = 0.95
_BLOCK = 256


def find_same_boxes(boxes_xyxy: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) bool: boxes that cover an earlier one of their class, intersection over union above .95.

    Sorted by class and left edge, a box can only lie on one whose left edge is near, so that an image with
    300 000 boxes does not take 300 000 squared comparisons. ``boxes_xyxy``: (N, 4) of area > 0.
    """
    count = len(boxes_xyxy)
    again = np.zeros(count, bool)
    if count < 2:
        return again
    boxes, labels = np.asarray(boxes_xyxy, np.float64), np.asarray(labels, np.int64)
    _, first = np.unique(np.column_stack([_rounded(boxes), labels]), axis=0, return_index=True)
    again[:] = True
    again[first] = False
    order = first[np.lexsort((boxes[first, 0], labels[first]))]
    # IoU above .95 moves an edge by less than that share of the larger box
    slack = (1.0 / _SAME_IOU - 1.0) * (boxes[order, 2] - boxes[order, 0]) / _SAME_IOU
    reach = _ends(boxes[order, 0] + slack, boxes[order, 0], labels[order])
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        end = int(reach[start : start + _BLOCK].max())
        for low in range(start, end, 8 * _BLOCK):
            columns = order[low : min(low + 8 * _BLOCK, end)]
            same = _overlap(boxes[rows], boxes[columns]) > _SAME_IOU
            same &= labels[rows, None] == labels[None, columns]
            same &= rows[:, None] != columns[None]
            a, b = np.nonzero(same)
            again[np.maximum(rows[a], columns[b])] = True
    return again


def _rounded(boxes: np.ndarray) -> np.ndarray:
    """Edges to within 1 % of the side; boxes equal so are the same, and few of a heap are left."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    step = 0.01 * 2.0 ** np.floor(np.log2(sides))
    return np.hstack([np.round(boxes / np.hstack([step, step])), np.log2(step)])


def _ends(limits: np.ndarray, left: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each box, how far in the order boxes of its class begin within its limit."""
    ends = np.empty(len(left), np.int64)
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    for start, stop in zip(starts, np.r_[starts[1:], len(left)], strict=True):
        ends[start:stop] = start + np.searchsorted(left[start:stop], limits[start:stop], "right")
    return ends


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) intersection over union."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    own, other = ((x[:, 2:] - x[:, :2]).prod(axis=1) for x in (a, b))
    overlap: np.ndarray = inter / np.maximum(own[:, None] + other[None] - inter, 1e-12)
    return overlap
