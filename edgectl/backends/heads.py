"""Sigmoid and softmax behind the heads, for devices whose programs want scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import head_kind


def append_activations(
    graph: QuantGraph, specs: Sequence[OutputSpec], wanted: Literal["auto", "on", "off"]
) -> tuple[QuantGraph, tuple[OutputSpec, ...]]:
    """Appends each head's activation, which every later step then sees as applied.

    Args:
        wanted: auto: for grids of cells only.
    """
    nodes, outputs, applied = list(graph), [], []
    for name, spec in zip(graph.outputs, specs, strict=True):
        asked = wanted == "on" or (wanted == "auto" and is_cells(spec))
        if spec.activation == "none" or spec.applied or not asked:
            outputs.append(name)
            applied.append(spec)
            continue
        head = graph[name]
        scores = f"{name}_{spec.activation}"
        nodes.append(Node(scores, spec.activation, (name,), head.shape, origin=head.origin))
        outputs.append(scores)
        applied.append(replace(spec, applied=True))
    return QuantGraph(nodes, outputs), tuple(applied)


def is_cells(spec: OutputSpec) -> bool:
    """One grid whose cells are the result, not priors of boxes."""
    return head_kind(spec.kind).suppression == "neighbors"
