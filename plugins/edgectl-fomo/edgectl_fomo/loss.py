"""FOMO's criterion: a logistic loss per channel, with cells weighted by what they hold.

The published loss raises the weight of objects in the class channels alone. Then the background
channel, which class scores must beat on the device, stays calibrated to how rare objects are and wins
nearly everywhere. Here the weight of an object's cell counts in every channel.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.labels import Targets
from edgectl_fomo.assigner import assign_cells

# keeps gradients of a mean over mostly empty cells at the size optimizers expect
_SCALE = 10.0
# CornerNet's exponent: weight of a background cell at closeness c is (1 - c) ** 4
_DOUBT = 4


class FomoCriterion(nn.Module):
    """``outputs``: one (N, num_classes + 1, rows, columns) tensor of raw logits.

    Args:
        stride: input pixels per cell.
        object_weight: weight of the positive entries, and of the background entry of their cells.
        spread: how far an object's center blurs, as a share of its size.
        shift: see :func:`edgectl_fomo.assigner.assign_cells`.
    """

    def __init__(self, stride: int, *, object_weight: float, spread: float, shift: bool) -> None:
        super().__init__()
        self.stride, self.shift = stride, shift
        self.object_weight, self.spread = object_weight, spread

    def forward(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """``{"loss": scalar}``."""
        (logits,) = outputs
        rows, columns = logits.shape[2:]
        assigned = assign_cells(
            targets, (rows, columns), self.stride, spread=self.spread, shift=self.shift
        )
        onehot = F.one_hot(assigned.cells, logits.shape[1]).movedim(3, 1).to(logits.dtype)
        occupied = (assigned.cells > 0)[:, None]
        doubt = (1 - assigned.closeness[:, None]) ** _DOUBT
        weight = torch.where(occupied, 1.0, doubt)
        emphasis = torch.where(onehot > 0, self.object_weight, 1.0)
        emphasis[:, :1] = torch.where(occupied, self.object_weight, 1.0)
        loss = F.binary_cross_entropy_with_logits(
            logits, onehot, weight=weight * emphasis, reduction="mean"
        )
        return {"loss": loss * _SCALE}
