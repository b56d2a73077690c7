"""Cell targets: an object belongs to the cell its center falls into, and to no other.

The cells around are background, but the less surely the closer they are and the larger the object is:
where the center of a face ends and the rest begins is a matter of taste. Their weight falls with
a Gaussian, as in CornerNet (Law and Deng, 2018, arXiv:1808.01244) and CenterNet (Zhou et al., 2019,
arXiv:1904.07850).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgectl.labels import Targets
from edgectl.spec import Size

_NARROWEST = 0.6
"""Standard deviation of the smallest objects, in cells: a center may lie on a cell's border."""


@dataclass(frozen=True)
class CellTargets:
    """Attributes:
    cells: (N, rows, columns) int64, 0 background, else class + 1.
    closeness: (N, rows, columns) float in 0..1, of the nearest center.
    """

    cells: Tensor
    closeness: Tensor


def assign_cells(
    targets: Targets, grid: Size, stride: int, *, spread: float = 0.0, shift: bool = False
) -> CellTargets:
    """Vectorised over the whole batch. Where two objects share a cell the smaller keeps it: the
    larger one's center is the one a neighboring cell can still report.

    Args:
        targets: boxes in network-input pixels.
        grid: (rows, columns).
        stride: pixels per cell.
        spread: standard deviation of the closeness as a share of the object's size; 0 gives no
            closeness at all.
        shift: reproduce SSCMA's encoding, one cell up and left with wrap-around.
    """
    rows, columns = grid
    images = len(targets.boxes_xyxy)
    device = targets.boxes_xyxy[0].device
    counts = torch.tensor([len(b) for b in targets.boxes_xyxy], device=device)
    boxes, labels = torch.cat(targets.boxes_xyxy).float(), torch.cat(targets.labels)
    image = torch.repeat_interleave(torch.arange(images, device=device), counts)
    size = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt() / stride
    order = torch.argsort(size, descending=True, stable=True)  # the smallest last
    center = (boxes[:, :2] + boxes[:, 2:]) / 2 / stride
    column = center[:, 0].long().clamp(0, columns - 1)
    row = center[:, 1].long().clamp(0, rows - 1)
    if shift:
        row, column = (row - 1) % rows, (column - 1) % columns
    # torch promises no order for duplicate indices: the last in order takes a cell by its rank
    ranked = (labels[order] + 1, ((image * rows + row) * columns + column)[order])
    rank = torch.arange(1, len(order) + 1, device=device)
    owner = torch.zeros(images * rows * columns, dtype=torch.int64, device=device)
    owner.scatter_reduce_(0, ranked[1], rank, "amax")
    values = torch.cat([ranked[0].new_zeros(1), ranked[0]])
    cells = values[owner].view(images, rows, columns)
    closeness = torch.zeros(images, rows, columns, device=device)
    if spread > 0 and len(boxes):
        sigma = (spread * size).clamp_min(_NARROWEST)[:, None]
        y = torch.arange(rows, device=device) + 0.5 - center[:, 1:]
        x = torch.arange(columns, device=device) + 0.5 - center[:, :1]
        falloff_y, falloff_x = (torch.exp(-(d**2) / (2 * sigma**2)) for d in (y, x))
        bells = falloff_y[:, :, None] * falloff_x[:, None, :]
        closeness.scatter_reduce_(0, image[:, None, None].expand_as(bells), bells, "amax")
    return CellTargets(cells, closeness)
