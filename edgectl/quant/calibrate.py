"""Post-training quantisation: pictures and a float graph in, every integer parameter out.

Equalise, observe, search ranges, correct biases. A step that can also do harm (equalisation, bias
correction) is kept only when the error at the heads says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgectl.config.schema import QuantConfig
from edgectl.errors import DataError
from edgectl.protocols import Progress
from edgectl.quant.correct import correct_biases
from edgectl.quant.equalize import equalizable, equalize
from edgectl.quant.graph import Node, QuantGraph, execute
from edgectl.quant.observers import OBSERVERS, Extremes, Histogram
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges import RangeGroup, qparams, range_groups
from edgectl.quant.scheme import QuantScheme
from edgectl.quant.search import DownstreamSearch
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import relative_error
from edgectl.quant.weights import weight_scales

Pictures = Callable[[], Iterable[Tensor]]
"""Each call starts over and yields batches (B, C, H, W), float32 in the lowered domain."""

_SAMPLE_BYTES = 256 * 2**20
_SAMPLE_PICTURES = (4, 16)
"""Searches keep every tensor of a sample of the pictures: as many as fit, within these bounds."""


def calibrate(
    graph: QuantGraph,
    scheme: QuantScheme,
    pictures: Pictures,
    config: QuantConfig,
    progress: Progress | None = None,
) -> QuantizedGraph:
    """Quantises ``graph`` (left untouched) in the arithmetic of ``scheme``.

    Args:
        pictures: iterated several times; must yield the same pictures each time.
        config: observer and which corrections to try.
        progress: receives a line at each step.

    Raises:
        DataError: no pictures.
        UnsupportedOpError: ops that join ranges the scheme fixes differently.
    """
    say = progress or (lambda _: None)
    groups = range_groups(graph, scheme)
    sample = _sample(graph, pictures)
    with torch.no_grad():
        heads = graph.run(sample)
    best = _observe(graph, groups, scheme, pictures, config)
    error = relative_error(heads, simulate(best.quantized, sample))
    say(f"ranges: error at the heads {error:.2e}")
    if config.equalize and equalizable(graph):
        balanced = equalize(graph, _channel_peaks(graph, pictures), scheme)
        rival = _observe(balanced, groups, scheme, pictures, config)
        rival_error = relative_error(heads, simulate(rival.quantized, sample))
        say(f"equalised: {rival_error:.2e}" + ("" if rival_error < error else ", not kept"))
        if rival_error < error:
            best, error = rival, rival_error
    quantized = best.quantized
    if config.observer in ("auto", "downstream"):
        error = _search(best, groups, sample, heads, config)
        say(f"downstream search: {error:.2e}")
    if config.bias_correction:
        taps: dict[str, Tensor] = {}
        with torch.no_grad():
            quantized.graph.run(sample, taps)
        corrected = correct_biases(quantized, sample, taps)
        rival_error = relative_error(heads, simulate(corrected, sample))
        say(f"bias correction: {rival_error:.2e}" + ("" if rival_error < error else ", not kept"))
        if rival_error < error:
            quantized = corrected
    return quantized


@dataclass
class _Observed:
    quantized: QuantizedGraph
    histograms: dict[str, Histogram]


def _observe(
    graph: QuantGraph,
    groups: list[RangeGroup],
    scheme: QuantScheme,
    pictures: Pictures,
    config: QuantConfig,
) -> _Observed:
    """Two passes over the pictures, then the configured observer on every group's histogram."""
    extremes = {g.name: Extremes() for g in groups if g.fixed is None}
    owner = {p: g.name for g in groups if g.fixed is None for p in g.producers}
    _feed(graph, pictures, {p: extremes[key].update for p, key in owner.items()})
    for group in groups:
        borders = [graph[m] for m in group.members if graph[m].op == "pad"]
        for node in borders if group.fixed is None else ():
            extremes[group.name].update(torch.tensor(node.attrs["value"]))
    histograms = {key: Histogram(e.lo, e.hi) for key, e in extremes.items()}
    _feed(graph, pictures, {p: histograms[key].update for p, key in owner.items()})
    choose = OBSERVERS[config.observer if config.observer in OBSERVERS else "mse"]
    activations = {}
    for group in groups:
        q = group.fixed
        if q is None:
            lo, hi = choose(histograms[group.name], scheme, config.percentile)
            q = qparams(lo, hi, scheme)
        activations.update(dict.fromkeys(group.members, q))
    scales = weight_scales(graph, activations, scheme)
    return _Observed(QuantizedGraph(graph.copy(), scheme, activations, scales), histograms)


def _search(
    observed: _Observed,
    groups: list[RangeGroup],
    sample: Tensor,
    heads: list[Tensor],
    config: QuantConfig,
) -> float:
    """Downstream search over all free groups, in place; returns the error at the heads."""
    quantized = observed.quantized
    search = DownstreamSearch(quantized, sample, heads)
    for group in groups:
        if group.fixed is None:
            seen = observed.histograms[group.name]
            if config.observer == "auto":
                search.improve(group, (seen.lo, seen.hi))
            else:
                search.use_region_best(group, (seen.lo, seen.hi))
    quantized.weight_scales = weight_scales(
        quantized.graph, quantized.activations, quantized.scheme
    )
    return relative_error(heads, simulate(quantized, sample))


def _feed(
    graph: QuantGraph, pictures: Pictures, sinks: dict[str, Callable[[Tensor], None]]
) -> None:
    """Runs the float graph over all pictures and hands the named tensors out."""
    for x in pictures():

        def step(node: Node, inputs: list[Tensor], x: Tensor = x) -> Tensor:
            y = x if node.op == "input" else execute(node, inputs, node.weight, node.bias)
            if node.name in sinks:
                sinks[node.name](y)
            return y

        with torch.no_grad():
            graph.evaluate(step)


def _channel_peaks(graph: QuantGraph, pictures: Pictures) -> dict[str, Tensor]:
    peaks = {name: torch.zeros(graph[name].shape[1]) for name in equalizable(graph)}

    def sink(name: str) -> Callable[[Tensor], None]:
        def update(y: Tensor) -> None:
            peaks[name] = torch.maximum(peaks[name], y.abs().amax(dim=(0, 2, 3)))

        return update

    _feed(graph, pictures, {name: sink(name) for name in peaks})
    return peaks


def _sample(graph: QuantGraph, pictures: Pictures) -> Tensor:
    """A few pictures from the whole run of them, evenly spaced."""
    total = sum(len(batch) for batch in pictures())
    if not total:
        raise DataError(
            "no calibration pictures", fix="give --calib a directory with pictures of your scene"
        )
    floats = sum(torch.Size(n.shape).numel() for n in graph)
    low, high = _SAMPLE_PICTURES
    count = min(total, max(low, min(high, _SAMPLE_BYTES // (4 * floats))))
    wanted = {i * total // count for i in range(count)}
    chosen, index = [], 0
    for batch in pictures():
        chosen += [batch[i] for i in range(len(batch)) if index + i in wanted]
        index += len(batch)
    return torch.stack(chosen)
