"""The decode rule ``fcos``: heads of files that other programs exported."""

from __future__ import annotations

from collections.abc import Mapping

from edgectl.tasks.foreign_heads import GridRule


class FcosRule(GridRule):
    """FCOS: classes, distances, center-ness a stride, computed in this order.
    Distances count in strides."""

    name = "fcos"
    parts: Mapping[str, int] = {"class_logits": 0, "box_distances": 4, "centerness_logits": 1}
    offset = 0.5
