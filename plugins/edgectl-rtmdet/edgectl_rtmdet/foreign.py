"""The decode rules ``rtmdet`` and ``rtmdet_heads``: files that other programs exported."""

from __future__ import annotations

from collections.abc import Mapping

from edgectl.tasks.foreign_heads import GridRule


class RtmdetRule(GridRule):
    """Files of MMDeploy: distances are multiplied by the stride in the network."""

    name = "rtmdet"
    parts: Mapping[str, int] = {"class_logits": 0, "box_pixels": 4}


class RtmdetHeadsRule(GridRule):
    """The network before that: distances count in strides."""

    name = "rtmdet_heads"
    parts: Mapping[str, int] = {"class_logits": 0, "box_distances": 4}
