"""Post-training quantization: images and a float graph in, every integer parameter out.

One pass over the images tells what every tensor looks like, one backward pass what its errors cost. From
that come rewrites and ranges; each is kept only when the error at the heads is smaller on images that it
was not chosen by, so that the result is never behind one of its own settings there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from edgectl.config.schema import QuantConfig
from edgectl.quant.evidence import SIDE, Evidence, Images
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.head_distance import HeadRole
from edgectl.quant.pace import Pace
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.choose import choose_ranges
from edgectl.quant.ranges.histogram import ChannelHistogram
from edgectl.quant.ranges.observe import Statistics, observe
from edgectl.quant.ranges.ranges import range_groups
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.ranges.search import search_ranges
from edgectl.quant.ranges.sensitivity import Sensitivity, measure_sensitivity
from edgectl.quant.rewrite.balance import Balance, apply_balances, balanced_channels
from edgectl.quant.rewrite.balance_plan import BalancePlanner
from edgectl.quant.rewrite.bias_correction import correct_biases
from edgectl.quant.rewrite.channel_classes import total_macs
from edgectl.quant.rewrite.mute_channels import silence
from edgectl.quant.rewrite.separate_ranges import separate_ranges
from edgectl.spec import Progress

_SILENCE_WORTH = 0.5
"""Share of the error that must be gone: on other images a silenced channel might have spoken."""


def calibrate(
    graph: QuantGraph,
    scheme: QuantScheme,
    images: Images,
    config: QuantConfig,
    progress: Progress | None = None,
    roles: Sequence[HeadRole] | None = None,
) -> QuantizedGraph:
    """Quantizes ``graph`` (left untouched) in the arithmetic of ``scheme``.

    The same arguments give the same result, to the bit.

    Args:
        images: iterated several times; must yield the same images each time.
        config: observer and which corrections to try.
        progress: receives a line at each step.
        roles: what the graph's outputs are, so that errors count where something is found; without
            them it is noise over signal.

    Raises:
        DataError: no images.
    """
    graph = separate_ranges(graph, scheme)
    work = _Calibration(graph, scheme, images, config, progress or (lambda _: None), roles)
    work.choose_first()
    if config.silence:
        work.try_silence()
    work.try_balances()
    if config.observer in ("auto", "downstream") and config.seconds:
        work.try_search()
    if config.bias_correction:
        work.try_bias_correction()
    return work.best


@dataclass(frozen=True)
class _State:
    """A graph and what is known of its tensors."""

    graph: QuantGraph
    statistics: Statistics


class _Calibration:
    """The best so far, its error on the judging images, and what it was made from."""

    def __init__(
        self,
        graph: QuantGraph,
        scheme: QuantScheme,
        images: Images,
        config: QuantConfig,
        progress: Progress,
        roles: Sequence[HeadRole] | None,
    ) -> None:
        self._scheme, self._config = scheme, config
        groups = range_groups(graph, scheme)
        self.evidence = Evidence(graph, images, roles)
        self._pace = Pace(progress, self.evidence.observed, len(self._observers))
        self._names = [p for g in groups if g.fixed is None for p in g.producers]
        self._state = self._observed(graph.copy())
        self._rule = self._observers[0]
        self.best = self._ranges(self._state, self._rule)
        self.error = math.inf

    @property
    def _observers(self) -> tuple[str, ...]:
        named = self._config.observer
        return ("downstream", "mse", "minmax") if named == "auto" else (named,)

    def choose_first(self) -> None:
        """Ranges of the graph as it is, by the best of the rules."""
        for name in self._observers:
            rival = self._ranges(self._state, name)
            error = self._judge(rival, self.error)
            if error < self.error:
                self.best, self.error, self._rule = rival, error, name
        if math.isfinite(self.error):
            self._pace.say(f"ranges by {self._rule}: error at the heads {self.error:.2e}")
        else:
            self._pace.say("ranges: the error at the heads is not finite")

    def try_silence(self) -> None:
        """Channels that are all noise in int8."""
        sample = torch.cat(self.evidence.choosing)
        quieter, count = silence(self._state.graph, sample, self._scheme)
        if count:
            words = f"{count} channel{'s' if count != 1 else ''} of noise silenced"
            self._consider(words, self._observed(quieter), _SILENCE_WORTH)

    def try_balances(self) -> None:
        """Equalized channels, and SiLUs made of two convolutions so that theirs can be."""
        graph, config = self._state.graph, self._config
        if not (config.equalize or config.split_silu):
            return
        # where only convolutions round, nothing between them is helped by a second one
        share = config.split_silu if self._scheme.rounds == "outputs" else 0.0
        for budget in sorted({share * total_macs(graph), 0.0}, reverse=True):
            planner = BalancePlanner(self.best, self._state.statistics)
            chosen = planner.plan(equalize=config.equalize, budget=budget)
            silus = sum(len(b.where.silus) for b in chosen)
            words = f"{len(chosen)} classes of channels equalized"
            if silus:
                extra = sum(b.macs for b in chosen) / total_macs(graph)
                words += f", {silus} SiLUs split for it, {extra:.0%} more multiplications"
            elif budget:
                continue
            if chosen and self._try_balanced(words, chosen):
                return

    def try_search(self) -> None:
        """Single ranges, where the simulated error says so."""
        if not math.isfinite(self.error):
            return
        found, tried = search_ranges(
            self.best,
            self._state.statistics,
            self.evidence.choosing,
            self.evidence.chosen_by,
            seconds=self._config.seconds,
        )
        self._pace.count(SIDE, 4.0)
        if tried:
            self._keep(f"{tried} ranges searched", self._judge(found, self.error), found)

    def try_bias_correction(self) -> None:
        """The shift of every channel's mean goes into its bias."""
        corrected = correct_biases(self.best, self.evidence.choosing)
        self._pace.count(SIDE, 4.0)
        self._keep("bias correction", self._judge(corrected, self.error), corrected)

    def _try_balanced(self, words: str, balances: list[Balance]) -> bool:
        channels = balanced_channels(self._state.graph, self._state.statistics.channels, balances)
        graph = apply_balances(self._state.graph, balances)
        return self._consider(words, self._with_sensitivity(graph, channels))

    def _consider(self, words: str, rival: _State, worth: float = 1.0) -> bool:
        quantized = self._ranges(rival, self._rule)
        error = self._judge(quantized, self.error * worth)
        kept = self._keep(words, error, quantized)
        if kept:
            self._state = rival
        return kept

    def _judge(self, rival: QuantizedGraph, limit: float) -> float:
        error = self.evidence.judge(rival, limit)
        self._pace.count(SIDE, 2.0)
        return error

    def _keep(self, words: str, error: float, rival: QuantizedGraph) -> bool:
        kept = error < self.error
        self._pace.say(f"{words}: {error:.2e}" if kept else f"{words}: not better, not kept")
        if kept:
            self.best, self.error = rival, error
        return kept

    def _ranges(self, state: _State, observer: str) -> QuantizedGraph:
        return choose_ranges(
            state.graph, self._scheme, state.statistics, observer, self._config.percentile
        )

    def _observed(self, graph: QuantGraph) -> _State:
        images = self._pace.counted(self.evidence.statistics_images())
        return self._with_sensitivity(graph, observe(graph, self._names, images))

    def _with_sensitivity(self, graph: QuantGraph, channels: dict[str, ChannelHistogram]) -> _State:
        chunks = (
            (x, self.evidence.chosen_by.weights(i))
            for i, x in enumerate(self._pace.counted(self.evidence.choosing, cost=4.0))
        )
        found: dict[str, Sensitivity] = {}
        if self._needs_sensitivity:
            found = measure_sensitivity(graph, channels, self._scheme, chunks)
        return _State(graph, Statistics(channels, found))

    @property
    def _needs_sensitivity(self) -> bool:
        config = self._config
        return bool("downstream" in self._observers or config.equalize or config.split_silu)
