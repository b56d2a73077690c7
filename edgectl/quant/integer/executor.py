"""Executes a program in exact integer arithmetic: the bytes a microcontroller computes.

Backends run it on the file read back, not on the graph it was written from, so that what it proves holds
for what ships. Equal to the TensorFlow Lite Micro interpreter in every byte; a test keeps it so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from edgectl.errors import ArtifactError, UnsupportedOpError
from edgectl.quant.integer.context import Context, Step
from edgectl.quant.integer.kernels import KERNELS
from edgectl.quant.integer.program import Program

_CHUNK_ELEMENTS = 1 << 19
"""Images run together while their largest tensor has no more elements, to stay in the cache."""


class IntegerExecutor:
    """Runs a :class:`Program` with one input.

    Raises:
        UnsupportedOpError: an op, or a use of one, that has no exact kernel here, by name.
        ArtifactError: a damaged op, here or when it is run.
    """

    def __init__(self, model: Program) -> None:
        self._model = model
        self._steps: list[tuple[tuple[int, ...], tuple[int, ...], Step]] = []
        for op in model.operations:
            if op.name not in KERNELS:
                raise _unsupported(model, op.name, "has no exact kernel here")
            try:
                step = KERNELS[op.name](Context(model, op))
            except ValueError as e:
                raise _unsupported(model, op.name, str(e)) from e
            except _INCONSISTENT as e:
                raise _damaged(model, op.name, e) from e
            self._steps.append((op.inputs, op.outputs, step))
        uses = Counter(i for inputs, _, _ in self._steps for i in inputs)
        self._uses: Mapping[int, int] = uses + Counter(model.outputs)
        largest = max(int(np.prod(t.shape)) for t in model.tensors if t.data is None)
        self._chunk = max(1, _CHUNK_ELEMENTS // max(largest, 1))

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """x: int8 (N, ...) as the file's input with any N. Returns one int8 array an output."""
        chunks = [self._run(x[i : i + self._chunk]) for i in range(0, len(x), self._chunk)]
        return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def tensors(self, x: np.ndarray) -> dict[int, np.ndarray]:
        """Every activation by tensor index, to find the first one that differs from a runtime's."""
        values = {self._model.inputs[0]: x}
        for inputs, outputs, step in self._steps:
            _store(values, outputs, step([values.get(i, _NOTHING) for i in inputs]))
        return values

    def _run(self, x: np.ndarray) -> list[np.ndarray]:
        values = {self._model.inputs[0]: x}
        uses = dict(self._uses)
        for inputs, outputs, step in self._steps:
            try:
                _store(values, outputs, step([values.get(i, _NOTHING) for i in inputs]))
            except (*_INCONSISTENT, ValueError, MemoryError) as e:
                name = f"the op that writes '{self._model.label(outputs[0])}'"
                raise _damaged(self._model, name, e) from e
            for i in inputs:
                uses[i] -= 1
                if not uses[i]:
                    values.pop(i, None)
        return [values[o] for o in self._model.outputs]


def _store(
    values: dict[int, np.ndarray], outputs: tuple[int, ...], made: np.ndarray | list[np.ndarray]
) -> None:
    arrays = made if isinstance(made, list) else [made]
    values.update(zip(outputs, arrays, strict=True))


_NOTHING = np.empty(0, np.int8)
"""In the place of constants, which the kernels hold already."""


_INCONSISTENT = (LookupError, ArithmeticError, AttributeError, TypeError)
"""What options, shapes and constants that do not belong together raise in the kernels."""


def _damaged(model: Program, op: str, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"{op} contradicts its tensors or options ({error})",
        where=model.where,
        fix="export the model again, or copy the file afresh",
    )


def _unsupported(model: Program, op: str, problem: str) -> UnsupportedOpError:
    return UnsupportedOpError(
        f"integer executor: {op}: {problem}",
        where=model.where,
        fix="use --runtime tflm or --runtime litert-ref for this file",
    )
