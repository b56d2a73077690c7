"""Post-training quantization: images and a float graph in, every integer parameter out.

Silence, equalize, observe, search ranges, correct biases. A step that can also do harm is kept only when the
error at the heads says so.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgectl.config.schema import QuantConfig
from edgectl.errors import DataError
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.observe import Images, Observed, channel_peaks, observe
from edgectl.quant.ranges.ranges import range_groups
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.ranges.search import DownstreamSearch
from edgectl.quant.rewrite.bias_correction import correct_biases
from edgectl.quant.rewrite.equalize import equalizable, equalize
from edgectl.quant.rewrite.mute_channels import silence
from edgectl.quant.rewrite.split_silu import choose_splits, splittable, total_macs
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import relative_error
from edgectl.quant.weights import weight_scales
from edgectl.spec import Progress

_SILENCE_WORTH = 0.5
"""Share of the error that must be gone: on other images a silenced channel might have spoken."""

_SAMPLE_BYTES = 256 * 2**20
_SAMPLE_IMAGES = (4, 16)
"""Searches keep every tensor of a sample of the images: as many as fit, within these bounds."""


def calibrate(
    graph: QuantGraph,
    scheme: QuantScheme,
    images: Images,
    config: QuantConfig,
    progress: Progress | None = None,
) -> QuantizedGraph:
    """Quantizes ``graph`` (left untouched) in the arithmetic of ``scheme``.

    Args:
        images: iterated several times; must yield the same images each time.
        config: observer and which corrections to try.
        progress: receives a line at each step.

    Raises:
        DataError: no images.
        UnsupportedOpError: ops that join ranges the scheme fixes differently.
    """
    say = progress or (lambda _: None)
    sample = _sample(graph, images)
    with torch.no_grad():
        heads = graph.run(sample)
    best = observe(graph, scheme, images, config)
    error = relative_error(heads, simulate(best.quantized, sample))
    say(f"ranges: error at the heads {error:.2e}")

    def consider(step: str, rival_graph: QuantGraph, worth: float = 1.0) -> bool:
        nonlocal best, error
        rival = observe(rival_graph, scheme, images, config)
        rival_error = relative_error(heads, simulate(rival.quantized, sample))
        kept = rival_error < worth * error
        say(f"{step}: {rival_error:.2e}" + ("" if kept else ", not kept"))
        if kept:
            best, error = rival, rival_error
        return kept

    if config.silence:
        quieter, silenced = silence(graph, sample, scheme)
        words = f"{silenced} channel{'s' if silenced != 1 else ''} of noise silenced"
        if silenced and consider(words, quieter, _SILENCE_WORTH):
            graph = quieter
    if config.equalize and equalizable(graph):
        consider("equalized", equalize(graph, channel_peaks(graph, images), scheme))
    # where only convolutions round, nothing between them is helped by a second one
    if config.split_silu and scheme.rounds == "outputs" and splittable(graph):
        divided = choose_splits(best.quantized, sample, heads, budget=config.split_silu)
        added = len(divided) - len(graph)
        if added:
            extra = total_macs(divided) / total_macs(graph) - 1.0
            consider(f"{added} SiLUs split, {extra:.0%} more multiplications", divided)
    quantized = best.quantized
    if config.observer in ("auto", "downstream"):
        error = _search(best, sample, heads, config)
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


def _search(
    observed: Observed,
    sample: Tensor,
    heads: list[Tensor],
    config: QuantConfig,
) -> float:
    """Downstream search over all free groups, in place; returns the error at the heads."""
    quantized = observed.quantized
    search = DownstreamSearch(quantized, sample, heads)
    for group in range_groups(quantized.graph, quantized.scheme):
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


def _sample(graph: QuantGraph, images: Images) -> Tensor:
    """A few images from the whole run of them, evenly spaced."""
    total = sum(len(batch) for batch in images())
    if not total:
        raise DataError(
            "no calibration images", fix="give --calib a directory with images of your scene"
        )
    floats = sum(torch.Size(n.shape).numel() for n in graph)
    low, high = _SAMPLE_IMAGES
    count = min(total, max(low, min(high, _SAMPLE_BYTES // (4 * floats))))
    wanted = {i * total // count for i in range(count)}
    chosen, index = [], 0
    for batch in images():
        chosen += [batch[i] for i in range(len(batch)) if index + i in wanted]
        index += len(batch)
    return torch.stack(chosen)
