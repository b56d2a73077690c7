"""Which prior predicts which object, one batch at a time.

``ranges``: by geometry alone (Tian et al., 2019, arXiv:1904.01355, section 3.2; center sampling: 2020,
arXiv:2006.09214). ``dynamic``: by what the predictions cost, after SimOTA (Ge et al., 2021,
arXiv:2107.08430).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from edgectl.labels import Targets
from edgectl.nn.boxes import box_area, generalized_iou, iou
from edgectl.nn.matching import match_dynamically, pad_targets
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.decode import Predictions

ALPHA, GAMMA = 0.25, 2.0
"""Exponent of the focal loss (Lin et al., 2017, arXiv:1708.02002)."""
_FINEST, _COARSEST = 8.0, 128.0
_RANGE = (4.0, 8.0)
"""Farthest side of a box that a level is responsible for, strides: 64 to 128 pixels at stride 16, ..."""
_TOP = 10
_GIOU_COST = 2.0


@dataclass(frozen=True)
class Assignment:
    """What each of the P priors of each image is to predict.

    Attributes:
        positive: (N, P) bool.
        labels: (N, P) int64, meaningful where positive.
        boxes: (N, P, 4), meaningful where positive.
        centerness: (N, P) 0..1, 0 where not positive.
    """

    positive: Tensor
    labels: Tensor
    boxes: Tensor
    centerness: Tensor


def centerness(points: Tensor, boxes: Tensor) -> Tensor:
    """sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)): points (..., 2) in boxes (..., 4) to (...)."""
    near, far = _sides(points, boxes)
    shorter, longer = torch.minimum(near, far), torch.maximum(near, far)
    return (shorter / longer).prod(dim=-1).sqrt()


def assign(found: Predictions, targets: Targets, config: FcosConfig) -> Assignment:
    """``found.classes`` are logits."""
    boxes, labels, real = pad_targets(targets)
    with torch.no_grad():
        if config.assigner == "dynamic":
            positive, keeper = _by_cost(found, boxes, labels, real)
        else:
            positive, keeper = _by_range(found, boxes, real, config)
        matched = boxes.gather(1, keeper[..., None].expand(-1, -1, 4))
        if config.assigner == "dynamic":
            middle = iou(found.boxes, matched)
        else:
            middle = centerness(found.points[None], matched)
        # 0 / 0 where nothing is matched
        middle = torch.where(positive, middle, torch.zeros_like(middle))
    return Assignment(positive, labels.gather(1, keeper), matched, middle)


def _sides(points: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """((..., 2) left and top distance, (..., 2) right and bottom), negative outside the box."""
    return points - boxes[..., :2], boxes[..., 2:] - points


def _by_range(
    found: Predictions, boxes: Tensor, real: Tensor, config: FcosConfig
) -> tuple[Tensor, Tensor]:
    """A point inside a box whose size is its level's; the smallest such box."""
    points, strides = found.points[None, :, None], found.strides[None, :, None]
    near, far = _sides(points, boxes[:, None])  # (N, P, M, 2)
    inside = torch.minimum(near, far).amin(dim=-1) > 0
    if config.center_sampling:
        middle = (boxes[..., :2] + boxes[..., 2:])[:, None] / 2
        inside &= (points - middle).abs().amax(dim=-1) < config.center_radius * strides
    farthest = torch.maximum(near, far).amax(dim=-1)
    low = torch.where(strides == _FINEST, 0.0, _RANGE[0] * strides)
    high = torch.where(strides == _COARSEST, float("inf"), _RANGE[1] * strides)
    usable = inside & (farthest > low) & (farthest <= high) & real[:, None]
    area = box_area(boxes)[:, None].masked_fill(~usable, float("inf"))
    return usable.any(dim=2), area.argmin(dim=2)


def _by_cost(
    found: Predictions, boxes: Tensor, labels: Tensor, real: Tensor
) -> tuple[Tensor, Tensor]:
    """Points inside a box, the cheapest by focal loss and GIoU loss."""
    near, far = _sides(found.points[None, :, None], boxes[:, None])
    usable = (torch.minimum(near, far).amin(dim=-1) > 0) & real[:, None]
    logits = found.classes
    # The focal loss of a prior summed over classes is that of an empty prior, corrected in the
    # object's class: no (N, P, M, classes) tensor is needed.
    scores = logits.sigmoid()
    empty = (1 - ALPHA) * F.softplus(logits) * scores**GAMMA
    index = labels[:, None].expand(-1, logits.shape[1], -1)
    logit, score = logits.gather(2, index), scores.gather(2, index)
    own = ALPHA * F.softplus(-logit) * (1 - score) ** GAMMA
    focal = empty.sum(dim=2, keepdim=True) - empty.gather(2, index) + own
    pairs = found.boxes[:, :, None], boxes[:, None]
    cost = focal + _GIOU_COST * (1 - generalized_iou(*pairs))
    return match_dynamically(cost, iou(*pairs), usable, top=_TOP)
