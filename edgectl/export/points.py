"""Moves the points that a detector's boxes are measured from, where that changes no box.

A cell's point lies at its corner or at its center; firmwares assume one or the other and do not ask.
From a point moved by d cells, left and top are d longer and right and bottom d shorter: a constant, which
belongs into the bias of the convolution that predicts sides. This is exact where its numbers are the sides.
Where sides are their exponential, or are clamped above zero, no constant does it.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import nn

from edgectl.errors import UsageError
from edgectl.plugins.head import HeadKind
from edgectl.quant.graph.trace import trace
from edgectl.runs.trained import TrainedModel
from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import head_kind

_TOWARDS = (1.0, 1.0, -1.0, -1.0)
"""Left, top, right, bottom of a point that moves right and down."""


def move_points(trained: TrainedModel, offset: float) -> TrainedModel:
    """The same boxes, from points at ``offset`` in their cells; the model itself where they are there.

    Raises:
        UsageError: no head of sides, or one whose sides are no plain output of a convolution.
    """
    heads = [(k, o) for k, o in enumerate(trained.outputs) if head_kind(o.kind).part == "sides"]
    if not heads:
        raise UsageError(
            "it predicts no boxes, so there are no points to move",
            where="quant.point_offset",
            fix="leave it out",
        )
    if all(spec.offset == offset for _, spec in heads):
        return trained
    graph = trace(trained.model, trained.preprocess.input_size, trained.preprocess.channels)
    model = copy.deepcopy(trained.model)
    outputs = list(trained.outputs)
    for k, spec in heads:
        kind, node = head_kind(spec.kind), graph[graph.outputs[k]]
        module = model.get_submodule(node.origin) if node.op == "conv" else None
        plain = kind.transform == "none" and node.activation is None
        if not (plain and isinstance(module, nn.Conv2d) and module.bias is not None):
            raise _not_exact(spec)
        shift = torch.tensor(_TOWARDS) * _length(kind, spec, offset - spec.offset)
        with torch.no_grad():
            module.bias += shift.to(module.bias)
        outputs[k] = replace(spec, offset=offset)
    checkpoint = replace(trained.checkpoint, outputs=tuple(outputs))
    return replace(trained, model=model, checkpoint=checkpoint)


def _length(kind: HeadKind, spec: OutputSpec, cells: float) -> float:
    """So many cells in the head's own unit."""
    if kind.unit == "stride":
        return cells
    if kind.unit == "none":
        return cells * spec.stride
    raise _not_exact(spec)


def _not_exact(spec: OutputSpec) -> UsageError:
    return UsageError(
        f"'{spec.name}' ({spec.kind}) holds no plain distances: its points cannot be moved exactly",
        where="quant.point_offset",
        fix="train with the offset, where the family has one: --set model.prior_offset=0.5",
    )
