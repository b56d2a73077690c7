"""Ranges for every tensor of a graph, from what is known of its tensors."""

from __future__ import annotations

from collections.abc import Callable

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.histogram import Histogram, joined
from edgectl.quant.ranges.observe import Statistics
from edgectl.quant.ranges.observers import (
    OBSERVERS,
    Range,
    least_squares_range,
)
from edgectl.quant.ranges.ranges import RangeGroup, qparams, range_groups
from edgectl.quant.ranges.scheme import QParams, QuantScheme
from edgectl.quant.ranges.sensitivity import joint_slope
from edgectl.quant.weights import weight_scales

Choice = Callable[[RangeGroup, Histogram], Range]


def choose_ranges(
    graph: QuantGraph,
    scheme: QuantScheme,
    statistics: Statistics,
    observer: str,
    percentile: float = 100.0,
) -> QuantizedGraph:
    """The graph (not copied) with ranges by one rule.

    Args:
        observer: a key of :data:`OBSERVERS`, or ``downstream``: least squared error of the heads, as
            far as the tensors' sensitivity tells.
    """

    def choose(group: RangeGroup, histogram: Histogram) -> Range:
        if observer != "downstream":
            return OBSERVERS[observer](histogram, scheme, percentile)
        parts = [statistics.sensitivity[p] for p in group.producers if p in statistics.sensitivity]
        return least_squares_range(histogram, scheme, joint_slope(parts) if parts else None)

    activations: dict[str, QParams] = {}
    for group in range_groups(graph, scheme):
        q = group.fixed
        if q is None:
            q = qparams(*choose(group, group_histogram(graph, group, statistics)), scheme)
        activations.update(dict.fromkeys(group.members, q))
    return QuantizedGraph(graph, scheme, activations, weight_scales(graph, activations, scheme))


def group_histogram(graph: QuantGraph, group: RangeGroup, statistics: Statistics) -> Histogram:
    """All producers of a group, and the borders written around them, as one distribution."""
    if group in statistics.joined:
        return statistics.joined[group]
    borders = [float(graph[m].attrs["value"]) for m in group.members if graph[m].op == "pad"]
    found = joined([statistics.channels[p] for p in group.producers], borders)
    statistics.joined[group] = found
    return found


def predict_errors(quantized: QuantizedGraph, statistics: Statistics) -> dict[str, float]:
    """Tensor -> its part in the error at the heads: a twelfth of the squared step for every value."""
    return {
        name: quantized.activations[name].scale ** 2 / 12.0 * float(s.channels.sum())
        for name, s in statistics.sensitivity.items()
    }
