"""Effects in words: a row a tensor, worst first, with its module, its figures and what ails it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from edgectl.quant.analyze.effects import Effect, Effects
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.ranges import bounds, range_groups
from edgectl.quant.rewrite.channel_classes import find_silu

_DOMINANT = 8.0
"""Times the median channel's size at which a channel dictates the step of all."""

_CLIPPED = 0.001
"""Share of the values beyond which clipping is worth a word."""

_UNUSED = 0.5
"""Share of the range below which its width is worth a word."""


@dataclass(frozen=True)
class Finding:
    """One tensor.

    Attributes:
        module: path of the module it comes from.
        words: what the tensor is: ``SiLU of backbone.stem.2``.
        sqnr_db: of the tensor rounded, all before it in float.
        saturation: share of its values that are clipped.
        used: share of the range that its values take.
        dead, dominant: channels too small for one step; channels many times as large as the median.
        isolated: error at the heads where only this tensor is rounded.
        share: of the sum of all ``isolated``.
        cumulative: noise over signal of the tensor where all before it is rounded as well.
        reasons: what ails it, and what helps; empty where nothing stands out.
    """

    name: str
    module: str
    words: str
    op: str
    shape: tuple[int, ...]
    sqnr_db: float
    saturation: float
    used: float
    dead: int
    dominant: int
    isolated: float
    share: float
    cumulative: float
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; an infinite figure is null."""
        return {
            k: None if isinstance(v, float) and not math.isfinite(v) else v
            for k, v in vars(self).items()
        }


@dataclass(frozen=True)
class Analysis:
    """Which tensor of a quantized graph costs what.

    Attributes:
        tensors: worst first.
        activations, weights, both: error at the heads with only these rounded.
        images: those it was measured on.
    """

    tensors: tuple[Finding, ...]
    activations: float
    weights: float
    both: float
    images: int

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``quant analyze --json``."""
        return {**vars(self), "tensors": [t.to_dict() for t in self.tensors]}


def describe_effects(quantized: QuantizedGraph, effects: Effects) -> Analysis:
    """Rows for people and programs."""
    total = sum(e.isolated for e in effects.tensors.values()) or 1.0
    sharers = {
        p: len(g.producers)
        for g in range_groups(quantized.graph, quantized.scheme)
        for p in g.producers
    }
    rows = [
        _finding(quantized, quantized.graph[name], effect, total, sharers[name])
        for name, effect in effects.tensors.items()
    ]
    rows.sort(key=lambda r: r.isolated, reverse=True)
    return Analysis(tuple(rows), effects.activations, effects.weights, effects.both, effects.images)


def _finding(
    quantized: QuantizedGraph, node: Node, effect: Effect, total: float, sharers: int
) -> Finding:
    q = quantized.activations[node.name]
    lo, hi = bounds(q, quantized.scheme)
    sizes = effect.hi.maximum(-effect.lo)
    dead = int((effect.hi - effect.lo < q.scale).sum())
    dominant = _count_dominant(sizes)
    low, high = float(effect.lo.min()), float(effect.hi.max())
    taken = min(high, hi) - max(low, lo)
    sqnr = math.inf
    if effect.noise > 0.0:
        sqnr = 10.0 * math.log10(max(effect.signal, 1e-30) / effect.noise)
    used = min(1.0, max(0.0, taken / (hi - lo)))
    saturation = effect.clipped / max(effect.count, 1)
    return Finding(
        name=node.name,
        module=module_of(quantized.graph, node),
        words=name_in_words(quantized.graph, node),
        op=node.op,
        shape=tuple(node.shape),
        sqnr_db=round(sqnr, 2),
        saturation=saturation,
        used=used,
        dead=dead,
        dominant=dominant,
        isolated=effect.isolated,
        share=effect.isolated / total,
        cumulative=effect.cumulative,
        reasons=tuple(_reasons(sizes, dead, dominant, saturation, used, sharers)),
    )


def _count_dominant(sizes: Tensor) -> int:
    middle = float(sizes.median())
    return int((sizes > _DOMINANT * middle).sum()) if middle > 0.0 else 0


def _reasons(
    sizes: Tensor, dead: int, dominant: int, saturation: float, used: float, sharers: int
) -> list[str]:
    found = []
    if dominant:
        times = float(sizes.max()) / max(float(sizes.median()), 1e-30)
        which = f"{dominant} of {len(sizes)} channels"
        found.append(f"{which} up to {times:.0f} times as large as the median: one step for all")
    if dead:
        found.append(f"{dead} of {len(sizes)} channels are smaller than one step")
    if saturation > _CLIPPED:
        found.append(f"{saturation:.1%} of the values are clipped")
    if used < _UNUSED:
        shared = f", which {sharers} tensors share" if sharers > 1 else ""
        found.append(f"{used:.0%} of the range is used{shared}")
    return found


def module_of(graph: QuantGraph, node: Node) -> str:
    """Path of the module; of an activation, the module it follows."""
    path = node.origin
    if not path and (silu := find_silu(graph, node)):
        path = graph[silu.conv].origin
    return (path or node.name).removesuffix(".act")


def name_in_words(graph: QuantGraph, node: Node) -> str:
    """What the tensor is."""
    if find_silu(graph, node) is not None:
        return f"SiLU of {module_of(graph, node)}"
    if node.op == "mul" and any(graph[i].op == "sigmoid" for i in node.inputs):
        return f"gated output of {module_of(graph, node)}"
    kinds = {
        "input": "the image",
        "conv": "depthwise convolution" if node.depthwise else "convolution",
        "linear": "fully connected layer",
        "add": "sum",
        "mul": "product",
        "mean": "global average",
    }
    kind = kinds.get(node.op, node.op.replace("_", " "))
    if node.op == "input":
        return kind
    fused = f" with {node.activation}" if node.activation else ""
    value = ", value of a split SiLU" if node.name.endswith("_value") else ""
    return f"{kind}{fused} {module_of(graph, node)}{value}"
