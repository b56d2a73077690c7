"""The cell-wise figures SSCMA reports for FOMO, reproduced so that published numbers can be compared.

They count cells, not objects: a blob of nine cells on one object is nine true positives, a hit on a
neighboring cell costs a false negative besides, and the direction of a class confusion decides
whether it is a false positive or a false negative. The batch index takes part in the comparison
with the grid size, so the figures are defined for batches of 16 in data-set order.
"""

from __future__ import annotations

import numpy as np
import torch

from edgectl.labels import Detections, Targets
from edgectl.spec import Size

BATCH = 16

# (batch, row, column), in the order they are tried; the own cell comes last
_OFFSETS = (
    (0, -1, 0),
    (0, -1, -1),
    (0, 0, -1),
    (0, 1, 0),
    (0, 1, 1),
    (0, 0, 1),
    (0, 1, -1),
    (0, -1, 1),
    (0, 0, 0),
)


class SscmaCells:
    """Accumulates images, counts them in batches of 16.

    Args:
        stride: input pixels per cell.
        grid: (rows, columns) of the output.
    """

    def __init__(self, stride: int, grid: Size) -> None:
        self._stride, self._grid = stride, grid
        self._predicted: list[np.ndarray] = []
        self._true: list[np.ndarray] = []

    def update(self, detections: list[Detections], targets: Targets) -> None:
        """Needs ``Detections.cells``."""
        for found, boxes, labels in zip(
            detections, targets.boxes_xyxy, targets.labels, strict=True
        ):
            if found.cells is None:
                raise ValueError("cell-wise figures need Detections.cells")
            self._predicted.append(found.cells.cpu().numpy())
            self._true.append(self._true_cells(boxes, labels))

    def compute(self) -> dict[str, float]:
        """``sscma_precision``, ``sscma_recall``, ``sscma_f1``; all 0 where a denominator is 0."""
        counts = np.zeros(3, np.int64)
        for i in range(0, len(self._true), BATCH):
            counts += count_cells(
                np.stack(self._predicted[i : i + BATCH]), np.stack(self._true[i : i + BATCH])
            )
        tp, fp, fn = (int(c) for c in counts)
        if tp + fp == 0 or tp + fn == 0 or tp == 0:
            precision = recall = f1 = 0.0
        else:
            precision, recall = tp / (tp + fp), tp / (tp + fn)
            f1 = 2 * precision * recall / (precision + recall)
        return {"sscma_precision": precision, "sscma_recall": recall, "sscma_f1": f1}

    def _true_cells(self, boxes: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
        """(rows, columns): 0 background, else class + 1; the lower class where two share a cell."""
        rows, columns = self._grid
        cells = np.zeros(self._grid, np.int64)
        for (x0, y0, x1, y1), label in zip(boxes.tolist(), labels.tolist(), strict=True):
            row = min(int((y0 + y1) / 2 / self._stride), rows - 1)
            column = min(int((x0 + x1) / 2 / self._stride), columns - 1)
            present = cells[row, column]
            cells[row, column] = label + 1 if present == 0 else min(present, label + 1)
        return cells


def count_cells(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """One batch: (B, rows, columns) winning channels each -> [TP, FP, FN].

    SSCMA holds the batch index against the number of rows, too; on square grids, which are all it
    has, nothing else differs.
    """
    images, rows, columns = predicted.shape
    limits = (min(images, rows), rows, columns)
    true = true.copy()
    for t in np.argwhere(true > 0).tolist():
        for offset in _OFFSETS:
            site = (t[0] + offset[0], t[1] + offset[1], t[2] + offset[2])
            if min(site) < 0 or any(i >= n for i, n in zip(site, limits, strict=True)):
                continue
            # the target may have been overwritten through an earlier neighbor: read it each time
            label = true[t[0], t[1], t[2]]
            if predicted[site] > 0 and predicted[site] == label:
                true[site] = label
    classes = int(max(predicted.max(), true.max())) + 1
    flat = np.bincount((true * classes + predicted).ravel(), minlength=classes * classes)
    confusion = flat.reshape(classes, classes)
    tp = int(np.trace(confusion)) - int(confusion[0, 0])
    return np.array([tp, int(np.triu(confusion, 1).sum()), int(np.tril(confusion, -1).sum())])
