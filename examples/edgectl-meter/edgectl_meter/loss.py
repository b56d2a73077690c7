"""Squared distance of the points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgectl.labels import Targets
from edgectl.spec import Size
from edgectl_meter.points import centers_of


class PointCriterion(nn.Module):
    """The sum over all coordinates of the squared error, in shares of the input's sides, averaged over the
    batch: SSCMA's loss for its meter."""

    def __init__(self, input_size: Size) -> None:
        super().__init__()
        self._input_size = input_size

    def forward(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """One (N, 2 * points) tensor."""
        (found,) = outputs
        height, width = self._input_size
        sides = torch.tensor([width, height], device=found.device)
        wanted = torch.stack(
            [
                centers_of(boxes, labels) / sides
                for boxes, labels in zip(targets.boxes_xyxy, targets.labels, strict=True)
            ]
        )
        return {"loss": (found - wanted.flatten(1)).square().sum(dim=1).mean()}
