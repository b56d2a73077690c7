"""Coordinates to marks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgectl.labels import Detections
from edgectl.spec import OutputSpec, Size
from edgectl_meter.points import MARK


class PointPostprocess:
    """Every key point of every image, once; there is no score to compare with ``threshold``."""

    threshold = 0.0

    def __init__(self, input_size: Size) -> None:
        self._input_size = input_size

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """One (N, 2 * points) tensor."""
        height, width = self._input_size
        sides = torch.tensor([width, height])
        points = outputs[0].reshape(len(outputs[0]), -1, 2) * sides
        points = points.clamp_min(0).minimum(sides)
        boxes = torch.cat([points - MARK / 2, points + MARK / 2], dim=2)
        count = boxes.shape[1]
        return [Detections(b, torch.ones(count), torch.arange(count)) for b in boxes]
