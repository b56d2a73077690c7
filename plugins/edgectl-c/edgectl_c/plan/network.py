"""A program as steps that compute one row each: what every row reads, of which buffer.

A buffer is the memory of one activation. A reshape is no step: its output is the same buffer under another
view. A step whose view has other rows than its producer wrote reads the whole buffer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edgectl.errors import ArtifactError, UnsupportedOpError
from edgectl.quant.integer.program import Operation, Program
from edgectl.quant.integer.rewrites import simplify_program
from edgectl.quant.integer.tables import TABLES
from edgectl_c.plan.reading import Span, all_rows, row_spans

View = tuple[int, int, int]
"""(rows, pixels of a row, channels)."""


@dataclass(frozen=True)
class Buffer:
    """``view``: as its producer writes it. ``tensor``: the first tensor of the program that lies in it."""

    tensor: int
    view: View

    @property
    def height(self) -> int:
        """Rows."""
        return self.view[0]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.view[1] * self.view[2]

    @property
    def nbytes(self) -> int:
        """Of all rows."""
        return math.prod(self.view)


@dataclass(frozen=True)
class Read:
    """One activation a step reads; ``spans``: rows of the buffer, first and last, for each row written."""

    buffer: int
    view: View
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Step:
    """One op.

    Attributes:
        operation: None for the step that takes a row of the image from the camera.
        name: what it writes, for messages.
        reads: activations in the op's order; constants are not among them.
        in_place: positions in ``reads`` whose row may be overwritten by the row written from it.
    """

    operation: Operation | None
    name: str
    reads: tuple[Read, ...]
    output: int
    view: View
    in_place: tuple[int, ...] = ()


@dataclass
class Network:
    """Steps in order, and the buffers they pass rows through. ``input``, ``outputs``: buffers."""

    program: Program
    steps: list[Step] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    of_tensor: dict[int, int] = field(default_factory=dict)
    input: int = 0
    outputs: list[int] = field(default_factory=list)

    def add_buffer(self, tensor: int) -> int:
        """A buffer for an activation of the program."""
        record = self.program.tensors[tensor]
        if record.dtype != "int8":
            raise UnsupportedOpError(
                f"'{record.name}' is {record.dtype}; the C library computes in int8",
                where=self.program.where,
                fix="export the network in int8",
            )
        self.buffers.append(Buffer(tensor, view_of(record.shape)))
        self.of_tensor[tensor] = len(self.buffers) - 1
        return len(self.buffers) - 1


def view_of(shape: tuple[int, ...]) -> View:
    """Rows, pixels and channels of a tensor of batch 1; of more than four axes, the first ones are rows."""
    if len(shape) > 4:
        return math.prod(shape[1:-2]), shape[-2], shape[-1]
    if len(shape) == 4:
        return shape[1], shape[2], shape[3]
    if len(shape) == 3:
        return 1, shape[1], shape[2]
    return 1, 1, math.prod(shape)


def read_network(program: Program, *, camera_rows: bool = False) -> Network:
    """The steps of a program.

    Args:
        camera_rows: the first step takes the image row by row.

    Raises:
        UnsupportedOpError: more than one input, or an activation that is not int8.
    """
    if len(program.inputs) != 1:
        raise UnsupportedOpError(
            f"{len(program.inputs)} inputs; one image is expected", where=program.where
        )
    program = simplify_program(program)
    network = Network(program)
    network.input = network.add_buffer(program.inputs[0])
    if camera_rows:
        view = network.buffers[network.input].view
        label = program.label(program.inputs[0])
        network.steps.append(Step(None, label, (), network.input, view))
    for op in program.operations:
        _require_ordered(network, op)
        if op.name in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"):
            network.of_tensor[op.outputs[0]] = network.of_tensor[op.inputs[0]]
            continue
        network.steps.append(_step(network, op))
    network.outputs = [network.of_tensor[i] for i in program.outputs]
    return network


def _require_ordered(network: Network, op: Operation) -> None:
    """Raises UnsupportedOpError for an op with several outputs, ArtifactError where it reads what nobody
    has written."""
    program = network.program
    if len(op.outputs) != 1:
        raise UnsupportedOpError(
            f"C library: {op.name}: several outputs",
            where=program.where,
            fix="leave this op to the program around the model",
        )
    for i in op.inputs:
        if i >= 0 and program.tensors[i].data is None and i not in network.of_tensor:
            raise ArtifactError(
                f"{op.name} reads '{program.tensors[i].name}', which nothing has written",
                where=program.where,
                fix="export the model again, or copy the file afresh",
            )


def _step(network: Network, op: Operation) -> Step:
    program = network.program
    output = network.add_buffer(op.outputs[0])
    written = _written_view(program, op)
    activations = [i for i in op.inputs if i >= 0 and program.tensors[i].data is None]
    reads = []
    for i in activations:
        buffer = network.buffers[network.of_tensor[i]]
        view = _read_view(program, op, i)
        if (view[0], view[1] * view[2]) == (buffer.height, buffer.row_bytes):
            spans = row_spans(program, op, i, view, written)
        else:
            spans = all_rows(buffer.height, written[0])
        reads.append(Read(network.of_tensor[i], view, spans))
    network.buffers[output] = Buffer(op.outputs[0], written)
    in_place = tuple(
        k
        for k, read in enumerate(reads)
        if (op.name in ("ADD", "MUL") or op.name in TABLES) and read.view == written
        and network.buffers[read.buffer].view == written
    )  # fmt: skip
    return Step(op, program.label(op.outputs[0]), tuple(reads), output, written, in_place)


def _read_view(program: Program, op: Operation, tensor: int) -> View:
    shape = program.tensors[tensor].shape
    if op.name == "FULLY_CONNECTED":
        features = program.tensors[op.inputs[1]].shape[1]
        return 1, math.prod(shape) // features, features
    return view_of(shape)


def _written_view(program: Program, op: Operation) -> View:
    shape = program.tensors[op.outputs[0]].shape
    if op.name == "FULLY_CONNECTED":
        out = program.tensors[op.inputs[1]].shape[0]
        return 1, math.prod(shape) // out, out
    if op.name == "MEAN":
        return 1, 1, math.prod(shape)
    return view_of(shape)
