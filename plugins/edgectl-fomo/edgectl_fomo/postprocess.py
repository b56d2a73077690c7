"""Cells to objects, by the rule of the device: a class fires where it beats every other channel,
the background included, with a score over the threshold; of cells that share an edge the strongest
reports.

Cells that touch at a corner only may both report: crowds are that dense. Suppressing all eight neighbors
loses a fifth of coco_mask's objects even on perfect cells, four neighbors an eighth.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from edgectl.labels import Detections
from edgectl.spec import OutputSpec

_PLUS = torch.tensor([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])
"""Row and column of a cell and of the four that share an edge with it, relative to the cell."""


class FomoPostprocess:
    """``threshold`` comes from the checkpoint's operating point; the default is what suits most runs.

    Args:
        stride: input pixels per cell.
    """

    def __init__(self, stride: int, threshold: float = 0.7) -> None:
        self.stride, self.threshold = stride, threshold

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """One (N, C + 1, rows, columns) tensor, logits or (``applied``) scores."""
        (raw,), (spec,) = outputs, specs
        scores = raw
        if not spec.applied:
            scores = raw.softmax(1) if spec.activation == "softmax" else raw.sigmoid()
        # argmax takes the lowest channel on a tie: background before classes, as the device does
        cells = scores.argmax(dim=1)
        best = scores.gather(1, cells[:, None])[:, 0]
        firing = torch.where((cells > 0) & (best >= self.threshold), best, torch.zeros(()))
        peaks = _peaks(firing)
        return [self._image(*p) for p in zip(firing, cells, peaks, strict=True)]

    def _image(self, firing: Tensor, cells: Tensor, peaks: Tensor) -> Detections:
        row, column = peaks.nonzero(as_tuple=True)
        scores, labels = firing[row, column], cells[row, column] - 1
        x, y = self._centroids(firing, cells, row, column)
        half = self.stride / 2
        boxes = torch.stack([x - half, y - half, x + half, y + half], dim=1)
        order = torch.argsort(scores, descending=True, stable=True)
        return Detections(boxes[order], scores[order], labels[order], cells)

    def _centroids(
        self, firing: Tensor, cells: Tensor, row: Tensor, column: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score-weighted mean of each peak and the four cells it suppresses, those of its class, in
        pixels."""
        padded, classes = F.pad(firing, (1, 1, 1, 1)), F.pad(cells, (1, 1, 1, 1))
        rows = row[:, None] + 1 + _PLUS[:, 0].to(row.device)
        columns = column[:, None] + 1 + _PLUS[:, 1].to(row.device)
        same = classes[rows, columns] == cells[row, column][:, None]
        weight = padded[rows, columns] * same
        total = weight.sum(dim=1)
        y = (weight * (rows - 0.5)).sum(dim=1) / total
        x = (weight * (columns - 0.5)).sum(dim=1) / total
        return x * self.stride, y * self.stride


def _peaks(firing: Tensor) -> Tensor:
    """(N, rows, columns) bool: cells stronger than the four they share an edge with, of any class:
    a face of which two cells see two classes is still one face.

    On a plateau, which int8 scores make likely, the first in reading order is taken.
    """
    strongest = (firing > 0) & (firing >= _around(firing))
    count = firing[0].numel()
    index = torch.arange(count, 0, -1, device=firing.device).view_as(firing[0]).float()
    rank = torch.where(strongest, index, torch.zeros(()))
    return strongest & (rank >= _around(rank))


def _around(x: Tensor) -> Tensor:
    """Maximum over each cell and its four neighbors; x: (N, rows, columns)."""
    column = F.max_pool2d(x[:, None], (3, 1), 1, (1, 0))
    row = F.max_pool2d(x[:, None], (1, 3), 1, (0, 1))
    return torch.maximum(column, row)[:, 0]
