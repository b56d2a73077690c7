"""Expansions that were computed in channel groups, whole again: the inverse of ``writer/split.py``.

What saves memory in an interpreter costs some in a compiler that schedules rows itself. Every byte of the
outputs stays the same: weights, biases and their scales are laid side by side again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from edgectl.quant.integer.program import Operation, Program, TensorRecord

N = TypeVar("N", int, float)
Parts = list[tuple[Operation, Operation]]
"""(convolution, depthwise convolution behind it) of each group of channels."""


def merge_slices(program: Program) -> Program | None:
    """The same network without groups; None where it has none."""
    groups = _find(program)
    if not groups:
        return None
    work = _Work(list(program.tensors))
    removed = {id(op) for parts in groups.values() for pair in parts for op in pair}
    operations: list[Operation] = []
    for op in program.operations:
        if id(op) in removed:
            continue
        parts = groups.get(op.outputs[0])
        operations += work.merged(parts, op.outputs[0]) if parts else [op]
    return _pruned(replace_operations(program, work.tensors, operations))


def replace_operations(
    program: Program, tensors: list[TensorRecord], operations: list[Operation]
) -> Program:
    """A plain program: what is known of the file's bytes no longer holds."""
    return Program(
        tuple(tensors), tuple(operations), program.inputs, program.outputs, program.aliases
    )


def _find(program: Program) -> dict[int, Parts]:
    """Output of a concatenation -> the parts it joins."""
    producer = {op.outputs[0]: op for op in program.operations}
    readers = Counter(i for op in program.operations for i in op.inputs)
    found: dict[int, Parts] = {}
    for op in program.operations:
        if op.name != "CONCATENATION" or len(op.inputs) < 2:
            continue
        parts: Parts = []
        for i in op.inputs:
            depthwise = producer.get(i)
            conv = producer.get(depthwise.inputs[0]) if depthwise is not None else None
            if depthwise is None or conv is None:
                break
            alone = readers[i] == 1 and readers[depthwise.inputs[0]] == 1
            kinds = (conv.name, depthwise.name) == ("CONV_2D", "DEPTHWISE_CONV_2D")
            if not (alone and kinds and depthwise.options.get("depthMultiplier") == 1):
                break
            parts.append((conv, depthwise))
        if len(parts) == len(op.inputs) and _alike(program, parts):
            found[op.outputs[0]] = parts
    return found


def _alike(program: Program, parts: Parts) -> bool:
    first_conv, first_depthwise = parts[0]
    middle = program.tensors[first_conv.outputs[0]]
    return all(
        conv.inputs[0] == first_conv.inputs[0]
        and conv.options == first_conv.options
        and depthwise.options == first_depthwise.options
        and program.tensors[conv.outputs[0]].scales == middle.scales
        and program.tensors[conv.outputs[0]].zero_points == middle.zero_points
        for conv, depthwise in parts
    )


@dataclass
class _Work:
    tensors: list[TensorRecord]

    def merged(self, parts: Parts, output: int) -> list[Operation]:
        """One convolution and one depthwise convolution in their place."""
        convs, depthwises = [p[0] for p in parts], [p[1] for p in parts]
        weights = [self._joined([op.inputs[k] for op in convs], 0) for k in (1, 2)]
        filters = [self._joined([op.inputs[k] for op in depthwises], -1) for k in (1, 2)]
        between = self._joined([op.outputs[0] for op in convs], -1)
        return [
            replace(convs[0], inputs=(convs[0].inputs[0], *weights), outputs=(between,)),
            replace(depthwises[0], inputs=(between, *filters), outputs=(output,)),
        ]

    def _joined(self, indices: list[int], axis: int) -> int:
        """A tensor of the others side by side; scales a channel too."""
        records = [self.tensors[i] for i in indices]
        first, index = records[0], len(self.tensors)
        axis %= len(first.shape)
        shape = list(first.shape)
        shape[axis] = sum(r.shape[axis] for r in records)
        data = None
        scales, zeros = first.scales, first.zero_points
        if first.data is not None:
            data = np.concatenate([r.data for r in records if r.data is not None], axis=axis)
            scales = tuple(s for r in records for s in _each(r.scales, r.shape[axis]))
            zeros = tuple(z for r in records for z in _each(r.zero_points, r.shape[axis]))
        self.tensors.append(
            replace(
                first, index=index, shape=tuple(shape), data=data, scales=scales, zero_points=zeros
            )
        )
        return index


def _each(values: tuple[N, ...], count: int) -> tuple[N, ...]:
    return values * count if len(values) == 1 else values


def _pruned(program: Program) -> Program:
    """Without tensors nothing names."""
    used = {i for op in program.operations for i in (*op.inputs, *op.outputs) if i >= 0}
    kept = sorted(used | {*program.inputs, *program.outputs})
    number = {old: new for new, old in enumerate(kept)} | {-1: -1}

    def renumber(indices: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(number[i] for i in indices)

    return Program(
        tuple(replace(program.tensors[old], index=new) for new, old in enumerate(kept)),
        tuple(
            replace(op, inputs=renumber(op.inputs), outputs=renumber(op.outputs))
            for op in program.operations
        ),
        renumber(program.inputs),
        renumber(program.outputs),
        {number[i]: name for i, name in program.aliases.items() if i in number},
    )
