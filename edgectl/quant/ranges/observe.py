"""One pass over the calibration images: what every tensor of the float network looks like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute
from edgectl.quant.ranges.histogram import ChannelHistogram, Histogram
from edgectl.quant.ranges.ranges import RangeGroup
from edgectl.quant.ranges.sensitivity import Sensitivity

_MOVES = frozenset({"max_pool", "avg_pool", "upsample", "pad"})


@dataclass(frozen=True)
class Statistics:
    """What is known of a graph's tensors, by the name of the node that computes them.

    Attributes:
        channels: their distributions.
        sensitivity: what their errors cost; only of tensors that are rounded.
        joined: distributions of whole groups, filled in as they are asked for.
    """

    channels: dict[str, ChannelHistogram]
    sensitivity: dict[str, Sensitivity]
    joined: dict[RangeGroup, Histogram] = field(default_factory=dict)

    def power(self, graph: QuantGraph, name: str) -> Tensor | None:
        """(C,) mean squares of any tensor that is computed or copied; None where it is not known."""
        node = graph[name]
        if name in self.channels:
            return self.channels[name].power()
        parts = [self.power(graph, i) for i in node.inputs]
        known = [p for p in parts if p is not None]
        if not known or len(known) != len(parts):
            return None
        if node.op == "concat":
            return torch.cat(known)
        return known[0] if node.op in _MOVES else None


def observe(
    graph: QuantGraph, names: Sequence[str], batches: Iterable[Tensor]
) -> dict[str, ChannelHistogram]:
    """Distributions of the named tensors over all images. batches: (B, C, H, W), lowered."""
    seen = {name: ChannelHistogram(graph[name].shape[1]) for name in names}

    def watching(x: Tensor) -> None:
        def step(node: Node, inputs: list[Tensor]) -> Tensor:
            y = x if node.op == "input" else execute(node, inputs, node.weight, node.bias)
            if node.name in seen:
                seen[node.name].update(y)
            return y

        graph.evaluate(step)

    with torch.no_grad():
        for x in batches:
            watching(x)
    return seen
