"""Focal loss for classes, (generalized) IoU loss for boxes, cross entropy for center-ness (Tian et al., 2020,
arXiv:2006.09214)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.labels import Targets
from edgectl.nn.boxes import generalized_iou, iou
from edgectl.nn.joint import joint_total
from edgectl.nn.vision import vision
from edgectl_fcos.assigner import ALPHA, GAMMA, assign
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.decode import flatten

_EPS = 1e-6


class FcosCriterion(nn.Module):
    """``outputs``: the fifteen raw head tensors."""

    def __init__(self, config: FcosConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """``loss``, and its parts ``loss_cls``, ``loss_box`` and ``loss_ctr``."""
        found = flatten(
            outputs,
            offset=self.config.point_offset,
            logarithms=not self.config.norm_on_bbox,
        )
        assigned = assign(found, targets, self.config)
        chosen, middle = assigned.positive, assigned.centerness[assigned.positive]
        count = joint_total(chosen.sum(), least=1)

        wanted = torch.zeros_like(found.classes)
        wanted.scatter_(2, assigned.labels[..., None], chosen[..., None].to(wanted.dtype))
        focal = vision("ops").sigmoid_focal_loss(
            found.classes, wanted, alpha=ALPHA, gamma=GAMMA, reduction="sum"
        )
        loss_cls = focal / count

        pairs = found.boxes[chosen], assigned.boxes[chosen]
        if self.config.box_loss == "giou":
            gap = 1.0 - generalized_iou(*pairs)
        else:
            gap = -iou(*pairs).clamp_min(_EPS).log()
        share = middle if self.config.weigh_boxes else torch.ones_like(middle)
        weight = joint_total(share.sum(), least=_EPS)
        loss_box = self.config.box_weight * (gap * share).sum() / weight

        entropy = F.binary_cross_entropy_with_logits(
            found.centerness[chosen], middle, reduction="sum"
        )
        loss_ctr = self.config.centerness_weight * entropy / count
        return {
            "loss": loss_cls + loss_box + loss_ctr,
            "loss_cls": loss_cls,
            "loss_box": loss_box,
            "loss_ctr": loss_ctr,
        }
