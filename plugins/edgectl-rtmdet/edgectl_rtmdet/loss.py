"""Quality focal loss for classes, GIoU loss for boxes (Li et al., 2020, arXiv:2006.04388;
Rezatofighi et al., 2019, arXiv:1902.09630), both shared out by the quality of what was assigned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.labels import Targets
from edgectl.nn.boxes import generalized_iou
from edgectl.nn.joint import joint_total
from edgectl_rtmdet.assigner import assign
from edgectl_rtmdet.decode import flatten


class RtmdetCriterion(nn.Module):
    """``outputs``: the six raw head tensors."""

    def __init__(
        self, *, exp_on_reg: bool, offset: float, class_weight: float, box_weight: float
    ) -> None:
        super().__init__()
        self.exp_on_reg, self.offset = exp_on_reg, offset
        self.class_weight, self.box_weight = class_weight, box_weight

    def forward(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """``loss``, and its parts ``loss_cls`` and ``loss_box``."""
        found = flatten(outputs, exp_on_reg=self.exp_on_reg, offset=self.offset)
        assigned = assign(found, targets)
        total = joint_total(assigned.quality.sum(), least=1.0)

        wanted = torch.zeros_like(found.classes)
        wanted.scatter_(2, assigned.labels[..., None], assigned.quality[..., None])
        doubt = (wanted - found.classes.sigmoid()).abs() ** 2
        entropy = F.binary_cross_entropy_with_logits(found.classes, wanted, reduction="none")
        loss_cls = self.class_weight * (entropy * doubt).sum() / total

        chosen = assigned.positive
        gap = 1.0 - generalized_iou(found.boxes[chosen], assigned.boxes[chosen])
        loss_box = self.box_weight * (gap * assigned.quality[chosen]).sum() / total
        return {"loss": loss_cls + loss_box, "loss_cls": loss_cls, "loss_box": loss_box}
