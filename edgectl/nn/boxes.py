"""Boxes as corners ``x0 y0 x1 y1``: overlap, distances to corners, non-maximum suppression."""

from __future__ import annotations

import cv2
import torch
from torch import Tensor

from edgectl.labels import Detections

_EPS = 1e-7


def grid_points(height: int, width: int, stride: int, *, offset: float, like: Tensor) -> Tensor:
    """(height * width, 2) x, y of every cell in row-major order, input pixels.

    ``offset`` is the point's place in its cell: 0 the corner, 0.5 the center.
    """
    y = (torch.arange(height, device=like.device, dtype=like.dtype) + offset) * stride
    x = (torch.arange(width, device=like.device, dtype=like.dtype) + offset) * stride
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns.reshape(-1), rows.reshape(-1)], dim=1)


def distances_to_boxes(points: Tensor, distances: Tensor) -> Tensor:
    """points: (..., 2); distances: (..., 4) left, top, right, bottom, pixels; returns (..., 4)."""
    return torch.cat([points - distances[..., :2], points + distances[..., 2:]], dim=-1)


def box_area(boxes: Tensor) -> Tensor:
    """(..., 4) to (...); boxes turned inside out count 0."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(dim=-1)


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(intersection, union) of boxes that broadcast against each other."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    intersection = (high - low).clamp_min(0).prod(dim=-1)
    return intersection, box_area(a) + box_area(b) - intersection


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes that broadcast: (..., 4) and (..., 4) to (...), 0..1."""
    intersection, union = _overlap(a, b)
    return intersection / union.clamp_min(_EPS)


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union less the empty share of the hull, -1..1 (Rezatofighi et al., 2019,
    arXiv:1902.09630). Shapes as in :func:`iou`."""
    intersection, union = _overlap(a, b)
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).clamp_min(0).prod(dim=-1).clamp_min(_EPS)
    return intersection / union.clamp_min(_EPS) - (hull - union) / hull


def suppress(
    boxes_xyxy: Tensor, scores: Tensor, labels: Tensor, *, threshold: float, limit: int
) -> Detections:
    """Greedy non-maximum suppression within each class.

    Args:
        boxes_xyxy, scores, labels: (K, 4), (K,), (K,).
        threshold: boxes of one class that overlap a better one by more are dropped.
        limit: how many are kept at most, the best.
    """
    corners = boxes_xyxy.double()
    sized = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1)
    if not len(sized):
        kept = torch.zeros(0, dtype=torch.int64)
    else:
        indices = cv2.dnn.NMSBoxesBatched(
            sized.tolist(), scores.tolist(), labels.tolist(), 0.0, threshold
        )
        kept = torch.as_tensor(indices, dtype=torch.int64).reshape(-1)
    order = torch.argsort(scores[kept], descending=True, stable=True)[:limit]
    kept = kept[order]
    return Detections(boxes_xyxy[kept], scores[kept], labels[kept])
