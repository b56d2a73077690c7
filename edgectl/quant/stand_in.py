"""A graph as if it had been quantized: every range the same. For layouts, which no range changes."""

from __future__ import annotations

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.ranges import qparams, range_groups
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.weights import weight_scales

_RANGE = (-4.0, 4.0)


def stand_in(graph: QuantGraph, scheme: QuantScheme) -> QuantizedGraph:
    """Nothing is computed: a second instead of a calibration. Its numbers mean nothing.

    Raises:
        UnsupportedOpError: ops that join ranges the scheme fixes differently.
    """
    activations = {}
    for group in range_groups(graph, scheme):
        parameters = group.fixed or qparams(*_RANGE, scheme)
        activations.update(dict.fromkeys(group.members, parameters))
    return QuantizedGraph(graph, scheme, activations, weight_scales(graph, activations, scheme))
