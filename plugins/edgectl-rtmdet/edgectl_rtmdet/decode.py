"""Raw heads to one row a prior: what assigner, loss and postprocess all read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgectl.nn.boxes import distances_to_boxes, grid_points
from edgectl_rtmdet.head import STRIDES


@dataclass(frozen=True)
class Predictions:
    """P priors, all levels, finest first.

    Attributes:
        classes: (N, P, num_classes), logits or scores, as they came.
        boxes: (N, P, 4) x0 y0 x1 y1, input pixels.
        points: (P, 2) x, y, input pixels.
        strides: (P,) float.
    """

    classes: Tensor
    boxes: Tensor
    points: Tensor
    strides: Tensor


def flatten(outputs: Sequence[Tensor], *, exp_on_reg: bool, offset: float = 0.0) -> Predictions:
    """Six head tensors, class tensors first. ``offset``: the priors' place in their
    cells, 0 the corner."""
    levels = len(STRIDES)
    classes, boxes, points, strides = [], [], [], []
    for scores, raw, stride in zip(outputs[:levels], outputs[levels:], STRIDES, strict=True):
        height, width = raw.shape[2:]
        at = grid_points(height, width, stride, offset=offset, like=raw)
        distances = raw.flatten(2).transpose(1, 2)
        distances = (distances.exp() if exp_on_reg else distances) * stride
        classes.append(scores.flatten(2).transpose(1, 2))
        boxes.append(distances_to_boxes(at, distances))
        points.append(at)
        strides.append(torch.full((len(at),), float(stride), device=raw.device))
    return Predictions(
        torch.cat(classes, dim=1), torch.cat(boxes, dim=1), torch.cat(points), torch.cat(strides)
    )
