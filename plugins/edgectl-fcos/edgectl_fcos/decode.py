"""Raw heads to one row a prior: what assigners, loss and postprocess all read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgectl.nn.boxes import distances_to_boxes, grid_points
from edgectl_fcos.head import STRIDES


@dataclass(frozen=True)
class Predictions:
    """P priors, all levels, finest first.

    Attributes:
        classes: (N, P, num_classes), logits or scores, as they came.
        centerness: (N, P), logits or scores, as they came.
        boxes: (N, P, 4) x0 y0 x1 y1, input pixels.
        points: (P, 2) x, y, input pixels.
        strides: (P,) float.
        sizes: number of priors of each level.
    """

    classes: Tensor
    centerness: Tensor
    boxes: Tensor
    points: Tensor
    strides: Tensor
    sizes: tuple[int, ...]


def flatten(outputs: Sequence[Tensor], *, offset: float, logarithms: bool) -> Predictions:
    """Fifteen head tensors: five of classes, five of distances, five of center-ness.

    Args:
        offset: of a cell's point, 0 its corner, 0.5 its center.
        logarithms: of the distances are what the heads hold.
    """
    levels = len(STRIDES)
    classes, centerness, boxes, points, strides = [], [], [], [], []
    for level, stride in enumerate(STRIDES):
        scores, raw, middle = outputs[level::levels]
        height, width = raw.shape[2:]
        at = grid_points(height, width, stride, offset=offset, like=raw)
        distances = raw.flatten(2).transpose(1, 2)
        distances = (distances.exp() if logarithms else distances) * stride
        classes.append(scores.flatten(2).transpose(1, 2))
        centerness.append(middle.flatten(1))
        boxes.append(distances_to_boxes(at, distances))
        points.append(at)
        strides.append(torch.full((len(at),), float(stride), device=raw.device))
    return Predictions(
        torch.cat(classes, dim=1),
        torch.cat(centerness, dim=1),
        torch.cat(boxes, dim=1),
        torch.cat(points),
        torch.cat(strides),
        tuple(len(at) for at in points),
    )
