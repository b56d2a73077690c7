"""Cell targets: an object belongs to the cell its centre falls into, and to no other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgectl.types import Size, Targets


@dataclass(frozen=True)
class CellTargets:
    """Attributes:
    cells: (N, rows, columns) int64, 0 background, else class + 1.
    nearby: (N, rows, columns) bool, background cells that touch an object's cell.
    """

    cells: Tensor
    nearby: Tensor


def assign_cells(targets: Targets, grid: Size, stride: int, *, shift: bool = False) -> CellTargets:
    """Vectorised over the whole batch. Where two objects share a cell the smaller keeps it: the
    larger one's centre is the one a neighbouring cell can still report.

    ``shift`` reproduces SSCMA's encoding, one cell up and left with wrap-around.
    """
    rows, columns = grid
    counts = torch.tensor([len(b) for b in targets.boxes_xyxy])
    boxes = torch.cat(targets.boxes_xyxy).float() if len(counts) else torch.zeros(0, 4)
    labels = torch.cat(targets.labels) if len(counts) else torch.zeros(0, dtype=torch.int64)
    picture = torch.repeat_interleave(torch.arange(len(counts)), counts).to(boxes.device)
    extent = boxes[:, 2:] - boxes[:, :2]
    # written in this order, so that the smallest comes last and stays
    order = torch.argsort(extent.prod(dim=1), descending=True, stable=True)
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride).long()
    column = centre[:, 0].clamp(0, columns - 1)
    row = centre[:, 1].clamp(0, rows - 1)
    if shift:
        row, column = (row - 1) % rows, (column - 1) % columns
    cells = torch.zeros(len(counts), rows, columns, dtype=torch.int64, device=boxes.device)
    for i in order.tolist():
        cells[picture[i], row[i], column[i]] = labels[i] + 1
    occupied = (cells > 0).float()
    touched = torch.nn.functional.max_pool2d(occupied[:, None], 3, 1, 1)[:, 0]
    return CellTargets(cells, (touched > 0) & (cells == 0))
