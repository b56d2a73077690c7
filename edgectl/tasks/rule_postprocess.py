"""Raw heads to results by what their kinds say: for networks whose makers are not here to do it.

The programs ``classes`` and ``boxes`` of :mod:`edgectl.tasks.decode_rule`, in torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgectl.labels import Detections
from edgectl.nn.boxes import distances_to_boxes, grid_points, suppress
from edgectl.spec import OutputSpec
from edgectl.tasks.decode_rule import MOST_CANDIDATES, MOST_RESULTS, HeadRule, head_rule


class ClassPostprocess:
    """Every class of every image, best first; equal scores keep class order. ``threshold`` is not
    applied: the best class wins."""

    threshold = 0.0

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """One (N, C) or (N, C, 1, 1) tensor."""
        scores = apply_activation(head_rule(specs[0]), outputs[0]).flatten(1)
        ranked, labels = torch.sort(scores, dim=1, descending=True, stable=True)
        nowhere = torch.zeros(0, 4)
        return [Detections(nowhere, s, k) for s, k in zip(ranked, labels, strict=True)]


class BoxPostprocess:
    """A cell may report several classes; each is judged on its own."""

    threshold = 0.001
    overlap = 0.65

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """At every stride a head of scores, one of sides, perhaps one of quality; in any order."""
        levels: dict[int, dict[str, tuple[HeadRule, Tensor]]] = {}
        for spec, output in zip(specs, outputs, strict=True):
            rule = head_rule(spec)
            levels.setdefault(spec.stride, {})[rule.part] = (rule, output)
        parts = [read_level(level) for level in levels.values()]
        scores, boxes = (torch.cat(p, dim=1) for p in zip(*parts, strict=True))
        return [self._image(s, b) for s, b in zip(scores, boxes, strict=True)]

    def _image(self, scores: Tensor, boxes: Tensor) -> Detections:
        """scores: (P, classes); boxes: (P, 4)."""
        prior, label = (scores > self.threshold).nonzero(as_tuple=True)
        confidence = scores[prior, label]
        if len(confidence) > MOST_CANDIDATES:
            confidence, best = confidence.topk(MOST_CANDIDATES)
            prior, label = prior[best], label[best]
        return suppress(boxes[prior], confidence, label, threshold=self.overlap, limit=MOST_RESULTS)


def apply_activation(rule: HeadRule, values: Tensor) -> Tensor:
    """Raw numbers (N, C, ...) to what the head's kind speaks of."""
    if rule.activation == "sigmoid":
        return values.sigmoid()
    return values.softmax(dim=1) if rule.activation == "softmax" else values


def read_level(level: dict[str, tuple[HeadRule, Tensor]]) -> tuple[Tensor, Tensor]:
    """Scores (N, cells, classes) and boxes (N, cells, 4), input pixels, of one stride."""
    scores = apply_activation(*level["scores"])
    if "quality" in level:
        rule, quality = level["quality"][0], apply_activation(*level["quality"])
        scores = scores * quality
        if rule.combine == "geometric_mean":
            scores = scores.sqrt()
    rule, sides = level["sides"]
    height, width = sides.shape[2:]
    points = grid_points(height, width, rule.stride, offset=rule.offset, like=sides)
    boxes = read_boxes(rule, rows_of(sides), points)
    return rows_of(scores), boxes


def rows_of(grid: Tensor) -> Tensor:
    """(N, C, H, W) to (N, H * W, C)."""
    return grid.flatten(2).transpose(1, 2)


def read_boxes(rule: HeadRule, rows: Tensor, points: Tensor) -> Tensor:
    """rows: (N, cells, C) raw numbers; points: (cells, 2) input pixels. Returns (N, cells, 4)."""
    unit = rule.stride if rule.unit == "stride" else 1
    if rule.transform == "center":
        middle = points + rows[..., :2] * unit
        half = rows[..., 2:].exp() * unit / 2
        return torch.cat([middle - half, middle + half], dim=-1)
    if rule.transform == "exp":
        rows = rows.exp()
    if rule.transform == "expectation":
        bins = rows.reshape(*rows.shape[:-1], 4, -1).softmax(dim=-1)
        rows = bins @ torch.arange(bins.shape[-1], dtype=bins.dtype)
    return distances_to_boxes(points, rows * unit)
