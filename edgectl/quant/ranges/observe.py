"""Two passes over the calibration images: extremes of every tensor, then its histogram."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgectl.config.schema import QuantConfig
from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.consumers import common_consumer_function, gating_product
from edgectl.quant.ranges.observers import OBSERVERS, Extremes, Histogram
from edgectl.quant.ranges.ranges import RangeGroup, qparams, range_groups
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.rewrite.equalize import equalizable
from edgectl.quant.weights import weight_scales

Images = Callable[[], Iterable[Tensor]]
"""Each call starts over and yields batches (B, C, H, W), float32 in the lowered domain."""

Sink = Callable[[Tensor, list[Tensor]], None]
"""Receives what a node computed, and from what."""


@dataclass
class Observed:
    """Ranges by the configured observer, and what they were chosen from.

    ``histograms``: of every group the scheme leaves free, by the group's name.
    """

    quantized: QuantizedGraph
    histograms: dict[str, Histogram]


def observe(
    graph: QuantGraph, scheme: QuantScheme, images: Images, config: QuantConfig
) -> Observed:
    """Runs the configured observer (``mse`` where none is named) on every range group."""
    groups = range_groups(graph, scheme)
    free = [g for g in groups if g.fixed is None]
    extremes = _extremes(graph, free, images)
    histograms: dict[str, Histogram] = {}
    sinks: list[tuple[str, Sink]] = []
    for group in free:
        seen = extremes[group.name]
        histogram = Histogram(seen.lo, seen.hi, common_consumer_function(graph, group.members))
        histograms[group.name] = histogram
        product = gating_product(graph, group.members)
        if product is None:
            sinks += [(p, _counting(histogram)) for p in group.producers]
        else:
            own = product.inputs.index(group.name)
            sinks.append((product.name, _counting_behind_gate(histogram, own)))
    feed(graph, images, sinks)
    choose = OBSERVERS[config.observer if config.observer in OBSERVERS else "mse"]
    activations = {}
    for group in groups:
        q = group.fixed
        if q is None:
            q = qparams(*choose(histograms[group.name], scheme, config.percentile), scheme)
        activations.update(dict.fromkeys(group.members, q))
    scales = weight_scales(graph, activations, scheme)
    return Observed(QuantizedGraph(graph.copy(), scheme, activations, scales), histograms)


def _extremes(graph: QuantGraph, groups: list[RangeGroup], images: Images) -> dict[str, Extremes]:
    extremes = {g.name: Extremes() for g in groups}

    def watching(seen: Extremes) -> Sink:
        return lambda y, _: seen.update(y)

    feed(graph, images, [(p, watching(extremes[g.name])) for g in groups for p in g.producers])
    for group in groups:
        for border in (graph[m] for m in group.members if graph[m].op == "pad"):
            extremes[group.name].update(torch.tensor(border.attrs["value"]))
    return extremes


def _counting(histogram: Histogram) -> Sink:
    return lambda y, _: histogram.update(y)


def _counting_behind_gate(histogram: Histogram, own: int) -> Sink:
    """Counts one factor of a product; an error of it is multiplied by the other factor."""

    def sink(_: Tensor, factors: list[Tensor]) -> None:
        gate = factors[1 - own].expand_as(factors[own])
        histogram.update(factors[own], gate.square())

    return sink


def channel_peaks(graph: QuantGraph, images: Images) -> dict[str, Tensor]:
    """(C,) largest absolute output of every tensor that can be equalized."""
    peaks = {name: torch.zeros(graph[name].shape[1]) for name in equalizable(graph)}

    def sink(name: str) -> Sink:
        def update(y: Tensor, _: list[Tensor]) -> None:
            peaks[name] = torch.maximum(peaks[name], y.abs().amax(dim=(0, 2, 3)))

        return update

    feed(graph, images, [(name, sink(name)) for name in peaks])
    return peaks


def feed(graph: QuantGraph, images: Images, sinks: Iterable[tuple[str, Sink]]) -> None:
    """Runs the float graph over all images and hands the named nodes' tensors out."""
    by_name: dict[str, list[Sink]] = defaultdict(list)
    for name, sink in sinks:
        by_name[name].append(sink)
    for x in images():

        def step(node: Node, inputs: list[Tensor], x: Tensor = x) -> Tensor:
            y = x if node.op == "input" else execute(node, inputs, node.weight, node.bias)
            for sink in by_name.get(node.name, ()):
                sink(y, inputs)
            return y

        with torch.no_grad():
            graph.evaluate(step)
