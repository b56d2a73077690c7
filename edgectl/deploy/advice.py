"""What a network would take of a board, before it is trained, and what would fit where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from edgectl.backends.contract import Backend, MemoryPlanner
from edgectl.deploy.fit import MODEL, Fit, fit_memory, in_kib
from edgectl.errors import UsageError
from edgectl.plugins.board import BoardInfo
from edgectl.plugins.family import Family
from edgectl.plugins.info import BackendInfo, VariantInfo
from edgectl.quant.graph.lower import fold_preprocess
from edgectl.quant.graph.trace import trace
from edgectl.spec import Size

_SHARES = (5 / 6, 2 / 3, 1 / 2, 1 / 3)
"""Sizes tried, of the one that does not fit."""


@dataclass(frozen=True)
class Sketch:
    """A network that need not have been trained.

    Attributes:
        presets: of each variant, the ``[model]`` table as the family reads it.
        backend: whose layout is counted. It must be a MemoryPlanner.
    """

    family: Family
    variants: tuple[VariantInfo, ...]
    presets: dict[str, Any]
    num_classes: int
    backend: Backend
    info: BackendInfo
    backend_config: Any

    def variant(self, name: str) -> VariantInfo:
        """By name; it is there."""
        return next(v for v in self.variants if v.name == name)


def plan_fit(sketch: Sketch, variant: str, size: Size, board: BoardInfo) -> Fit:
    """Builds the network with random weights, lays it out, and looks for room on the board.

    Raises:
        UsageError: a backend that plans no memory.
        ArtifactError: ops its devices cannot run.
    """
    if not isinstance(sketch.backend, MemoryPlanner):
        raise UsageError(
            f"{sketch.info.name} cannot say what a network takes before it is exported",
            where="--fit",
            fix=f"train, then edgectl export --backend {sketch.info.name} and deploy",
        )
    config = sketch.presets[variant]
    model = sketch.family.build(config, num_classes=sketch.num_classes).eval()
    preprocess = sketch.family.preprocess(config, size)
    graph = trace(model, size, preprocess.channels)
    if sketch.info.input == "unit":
        graph = fold_preprocess(graph, preprocess)
    outputs = sketch.family.outputs(config, num_classes=sketch.num_classes)
    graph, outputs = sketch.backend.prepare(graph, outputs, sketch.backend_config)
    memory = sketch.backend.plan_memory(graph, outputs, sketch.backend_config, board)
    return fit_memory(board, memory, outputs, size)


def advise(sketch: Sketch, found: Fit, variant: str, size: Size) -> list[str]:
    """Where ``found`` does not fit: the largest size tried that does, and the largest smaller variant, each
    with what its model takes. Empty where nothing tried fits."""
    words = []
    sizes = _smaller_sizes(size, sketch.variant(variant).output_stride)
    if not any(p.region is None and p.need.kind == "ram" for p in found.places):
        sizes = iter(())  # weights are as many at every size
    for smaller in sizes:
        rival = plan_fit(sketch, variant, smaller, found.board)
        if rival.passed:
            height, width = smaller
            side = f"{height}" if height == width else f'"{height} {width}"'
            words.append(f"--imgsz {side} needs {_model_needs(rival)}")
            break
    board = found.board
    for other in _smaller_variants(sketch, variant):
        if any(n % sketch.variant(other).output_stride for n in size):
            continue
        rival = plan_fit(sketch, other, size, board)
        if rival.passed:
            words.append(f"--variant {other} needs {_model_needs(rival)}")
            break
    return words


def _model_needs(fit: Fit) -> str:
    needs = {p.need.kind: p.need.nbytes for p in fit.places if p.need.name == MODEL}
    parts = [f"{in_kib(needs['ram'])} KiB of RAM"] if "ram" in needs else []
    return " and ".join([*parts, f"{in_kib(needs['flash'])} KiB of flash"])


def _smaller_sizes(size: Size, stride: int) -> Iterator[Size]:
    seen = {size}
    for share in _SHARES:
        height, width = (max(stride, int(n * share) // stride * stride) for n in size)
        if (height, width) not in seen:
            seen.add((height, width))
            yield height, width


def _smaller_variants(sketch: Sketch, variant: str) -> list[str]:
    """Those with fewer weights, the largest first."""
    counts = {}
    with torch.device("meta"):  # counted, never computed with
        for v in sketch.variants:
            model = sketch.family.build(sketch.presets[v.name], num_classes=sketch.num_classes)
            counts[v.name] = sum(p.numel() for p in model.parameters())
    fewer = [name for name, count in counts.items() if count < counts[variant]]
    return sorted(fewer, key=lambda name: -counts[name])
