"""Dynamic soft-label assignment (Lyu et al., 2022, arXiv:2212.07784, section 3.3), one batch at a
time: objects are padded to the largest number in an image, and no loop runs over images or boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from edgectl.labels import Targets
from edgectl.nn.boxes import iou
from edgectl.nn.matching import match_dynamically, pad_targets
from edgectl_rtmdet.decode import Predictions

_TOP = 13
_IOU_WEIGHT = 3.0
_CENTRE_BASE, _CENTRE_RADIUS = 10.0, 3.0
_EPS = 1e-7


@dataclass(frozen=True)
class Assignment:
    """What each of the P priors of each image is to predict.

    Attributes:
        positive: (N, P) bool.
        labels: (N, P) int64, meaningful where positive.
        boxes: (N, P, 4), meaningful where positive.
        quality: (N, P) overlap of prediction and object, 0 where not positive.
    """

    positive: Tensor
    labels: Tensor
    boxes: Tensor
    quality: Tensor


@torch.no_grad()
def assign(found: Predictions, targets: Targets) -> Assignment:
    """``found.classes`` are logits."""
    boxes, labels, real = pad_targets(targets)
    overlap = iou(found.boxes[:, :, None], boxes[:, None])  # (N, P, M)
    cost, candidate = _cost(found, boxes, labels, overlap)
    usable = candidate[:, :, None] & real[:, None]
    positive, keeper = match_dynamically(cost, overlap, usable, top=_TOP)
    quality = (overlap * usable).gather(2, keeper[..., None])[..., 0] * positive
    return Assignment(
        positive,
        labels.gather(1, keeper),
        boxes.gather(1, keeper[..., None].expand(-1, -1, 4)),
        quality,
    )


def _cost(
    found: Predictions, boxes: Tensor, labels: Tensor, overlap: Tensor
) -> tuple[Tensor, Tensor]:
    """((N, P, M) cost of each pair, (N, P) bool priors inside some object)."""
    logits, points = found.classes, found.points[None, :, None]
    inside = ((points > boxes[:, None, :, :2]) & (points < boxes[:, None, :, 2:])).all(dim=-1)
    centers = (boxes[..., :2] + boxes[..., 2:]) / 2
    distance = (points - centers[:, None]).norm(dim=-1) / found.strides[None, :, None]
    center_cost = _CENTRE_BASE ** (distance - _CENTRE_RADIUS)
    iou_cost = -(overlap + _EPS).log() * _IOU_WEIGHT
    # Only the object's own class has a soft label above 0, so the sum over classes is the sum with all
    # labels 0, corrected in that one class: no (N, P, M, classes) tensor is needed.
    scores = logits.sigmoid()
    empty = F.softplus(logits) * scores**2
    index = labels[:, None].expand(-1, logits.shape[1], -1)
    logit, score = logits.gather(2, index), scores.gather(2, index)
    own = (F.softplus(logit) - overlap * logit) * (overlap - score) ** 2
    class_cost = empty.sum(dim=2, keepdim=True) - empty.gather(2, index) + own
    return class_cost + iou_cost + center_cost, inside.any(dim=2)
