"""The op list a device runs, in TensorFlow Lite's words: NHWC tensors, ops by name, options by field.

A backend writes it in its own format; the executor runs it in exact integer arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TensorRecord:
    """One tensor.

    Attributes:
        shape: as stored; activations are NHWC with batch 1.
        dtype: numpy name; other names for types numpy does not have.
        scales, zero_points: one entry, one a slice of ``channel_axis``, or none for float tensors.
        data: constant contents in ``shape``, or None for activations.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    channel_axis: int = 0
    data: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        try:
            width = np.dtype(self.dtype).itemsize
        except TypeError:
            width = 1
        return math.prod(self.shape) * width


@dataclass(frozen=True)
class Operation:
    """One op: ``inputs`` and ``outputs`` are tensor indices, -1 for an absent optional input.

    Attributes:
        options: by the field names of TensorFlow Lite's schema; enumerators by name.
        table: the schema's name of the options, or None.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    table: str | None = None


@dataclass(frozen=True)
class Program:
    """Attributes:
    inputs, outputs: tensor indices, in order.
    aliases: tensor index -> public name, where there is one.
    path: the file it was read from.
    """

    tensors: tuple[TensorRecord, ...] = field(repr=False)
    operations: tuple[Operation, ...] = field(repr=False)
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    aliases: Mapping[int, str]
    path: Path | None = None

    def label(self, index: int) -> str:
        """Public name of a tensor, else its own."""
        return self.aliases.get(index, self.tensors[index].name)

    @property
    def where(self) -> str:
        """For messages."""
        return self.path.name if self.path is not None else "model"


class ProgramBuilder:
    """Collects tensors and ops in the order they are added."""

    def __init__(self) -> None:
        self._tensors: list[TensorRecord] = []
        self._operations: list[Operation] = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        *,
        scales: Sequence[float] = (),
        zero_points: Sequence[int] = (),
        channel_axis: int = 0,
        data: np.ndarray | None = None,
    ) -> int:
        """Adds a tensor; ``data`` makes it constant. Returns its index."""
        index = len(self._tensors)
        record = TensorRecord(
            index,
            name,
            tuple(int(d) for d in shape),
            dtype,
            tuple(float(np.float32(v)) for v in scales),
            tuple(int(v) for v in zero_points),
            channel_axis,
            data,
        )
        self._tensors.append(record)
        return index

    def record(self, index: int) -> TensorRecord:
        """A tensor that was added."""
        return self._tensors[index]

    def operation(
        self,
        name: str,
        version: int,
        inputs: Sequence[int],
        output: int,
        table: str | None = None,
        **options: Any,
    ) -> None:
        """Adds an op with one output."""
        self._operations.append(Operation(name, version, tuple(inputs), (output,), options, table))

    def finish(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> Program:
        """Arguments: public name -> tensor index, in order."""
        return Program(
            tuple(self._tensors),
            tuple(self._operations),
            tuple(inputs.values()),
            tuple(outputs.values()),
            {i: name for name, i in (*inputs.items(), *outputs.items())},
        )
