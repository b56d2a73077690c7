"""Op lists of other programs in fewer words: the same bytes, without ops that need no kernel of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgectl.quant.integer.program import Operation, Program, TensorRecord


def simplify_program(program: Program) -> Program:
    """The program with splits as slices, repetitions left to the sums and products that read them, and an
    input that is quantized first taken as what comes of it."""
    work = _Rewriting(program)
    for op in program.operations:
        work.take(op)
    return work.result()


class _Rewriting:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._tensors = list(program.tensors)
        self._operations: list[Operation] = []
        self._instead: dict[int, int] = {}
        self._signed = _signed_input(program)
        if self._signed:
            source = program.tensors[program.inputs[0]]
            zero = source.zero_points[0] - 128
            self._tensors[source.index] = replace(source, dtype="int8", zero_points=(zero,))

    def take(self, op: Operation) -> None:
        """Appends what becomes of an op."""
        inputs = tuple(self._instead.get(i, i) for i in op.inputs)
        op = replace(op, inputs=inputs)
        if op.name in ("SPLIT", "SPLIT_V") and self._constant(
            op.inputs[0 if op.name == "SPLIT" else 2]
        ):
            self._split(op)
        elif op.name == "TILE" and self._is_broadcast(op):
            self._instead[op.outputs[0]] = inputs[0]
        elif op.name == "TILE" and self._constant(inputs[1]):
            self._tile(op)
        else:
            self._operations.append(op)

    def result(self) -> Program:
        """The program."""
        return replace(
            self._program, tensors=tuple(self._tensors), operations=tuple(self._operations)
        )

    def _constant(self, index: int) -> bool:
        return self._tensors[index].data is not None

    def _add(
        self, name: str, shape: Sequence[int], like: TensorRecord | None, data: np.ndarray | None
    ) -> int:
        index = len(self._tensors)
        if like is not None:
            record = replace(like, index=index, name=name, shape=tuple(shape), data=data)
        else:
            record = TensorRecord(index, name, tuple(shape), "int32", data=data)
        self._tensors.append(record)
        return index

    def _split(self, op: Operation) -> None:
        by_sizes = op.name == "SPLIT_V"
        source = self._tensors[op.inputs[0 if by_sizes else 1]]
        held = self._tensors[op.inputs[2 if by_sizes else 0]].data
        assert held is not None
        axis = int(np.asarray(held).reshape(())) % len(source.shape)
        first = 0
        for output in op.outputs:
            size = self._tensors[output].shape[axis]
            begin, extent = [0] * len(source.shape), list(source.shape)
            begin[axis], extent[axis] = first, size
            label = self._tensors[output].name
            parameters = [
                self._add(f"{label}_{word}", (len(v),), None, np.asarray(v, np.int32))
                for word, v in (("begin", begin), ("size", extent))
            ]
            inputs = (source.index, *parameters)
            self._operations.append(Operation("SLICE", 1, inputs, (output,), {}, "SliceOptions"))
            first += size

    def _is_broadcast(self, op: Operation) -> bool:
        """Whether all readers repeat by themselves what this op repeats."""
        output, source = op.outputs[0], self._tensors[op.inputs[0]]
        counts = self._tensors[op.inputs[1]].data
        readers = [o for o in self._program.operations if output in o.inputs]
        if counts is None or output in self._program.outputs or not readers:
            return False
        single = all(
            n == 1 or s == 1 for n, s in zip(counts.reshape(-1), source.shape, strict=True)
        )
        others = [self._tensors[i] for r in readers for i in r.inputs if i != output]
        whole = all(t.shape == self._tensors[output].shape for t in others)
        once = all(r.inputs.count(output) == 1 for r in readers)
        return single and whole and once and all(r.name in ("ADD", "MUL") for r in readers)

    def _tile(self, op: Operation) -> None:
        """A concatenation of the tensor with itself along every axis that repeats it."""
        source = self._tensors[op.inputs[0]]
        held = self._tensors[op.inputs[1]].data
        assert held is not None
        counts = [int(n) for n in held.reshape(-1)]
        axes = [axis for axis, n in enumerate(counts) if n > 1]
        index, shape = source.index, list(source.shape)
        if not axes:
            self._instead[op.outputs[0]] = index
        for axis in reversed(axes):
            shape[axis] *= counts[axis]
            last = axis == axes[0]
            target = (
                op.outputs[0] if last else self._add(f"{source.name}_{axis}", shape, source, None)
            )
            self._operations.append(
                Operation(
                    "CONCATENATION", 2, (index,) * counts[axis], (target,), {"axis": axis},
                    "ConcatenationOptions",
                )
            )  # fmt: skip
            index = target


def _signed_input(program: Program) -> bool:
    """Whether the input is uint8 and nothing but QUANTIZE reads it: the same bytes less 128 are int8."""
    if len(program.inputs) != 1:
        return False
    source = program.tensors[program.inputs[0]]
    readers = [op for op in program.operations if source.index in op.inputs]
    return (
        source.dtype == "uint8"
        and len(source.scales) == 1
        and source.index not in program.outputs
        and bool(readers)
        and all(op.name == "QUANTIZE" for op in readers)
        and math.prod(source.shape) > 0
    )
