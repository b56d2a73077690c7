"""Which rows of its input an op reads for a row of its output."""

from __future__ import annotations

import numpy as np

from edgectl.quant.integer.movement import bilinear_taps
from edgectl.quant.integer.padding import same_border
from edgectl.quant.integer.program import Operation, Program
from edgectl.quant.integer.tables import TABLES

Span = tuple[int, int]
"""(first, last) row."""


def all_rows(height: int, rows: int) -> tuple[Span, ...]:
    """Every row written reads all of them."""
    return ((0, height - 1),) * rows


def row_spans(
    program: Program, op: Operation, tensor: int, read: tuple[int, int, int],
    written: tuple[int, int, int],
) -> tuple[Span, ...]:  # fmt: skip
    """For each row written. Rows outside the input are not counted; a row that reads none is given the
    nearest."""
    height, rows = read[0], written[0]
    if op.name in TABLES:
        return tuple((y, y) for y in range(rows))
    match op.name:
        case "CONV_2D" | "DEPTHWISE_CONV_2D" | "MAX_POOL_2D" | "AVERAGE_POOL_2D":
            kernel, stride, dilation = window(program, op, 0)
            top = border_before(program, op, 0)
            reach = (kernel - 1) * dilation
            return tuple(
                _inside(y * stride - top, y * stride - top + reach, height) for y in range(rows)
            )
        case "ADD" | "MUL":
            return tuple((0, 0) if height == 1 else (y, y) for y in range(rows))
        case "SOFTMAX" | "PRELU":
            return tuple((y, y) for y in range(rows))
        case "CONCATENATION" if written[0] != read[0]:
            return _joined_rows(program, op, tensor, height, rows)
        case "CONCATENATION":
            return tuple((y, y) for y in range(rows))
        case "PAD" | "PADV2":
            above = pad_widths(program, op)[0][0]
            return tuple(_inside(y - above, y - above, height) for y in range(rows))
        case "RESIZE_NEAREST_NEIGHBOR":
            return tuple((y, y) for y in nearest(height, rows))
        case "RESIZE_BILINEAR":
            first, second, _ = bilinear(program, op, 0)
            return tuple((min(a, b), max(a, b)) for a, b in zip(first, second, strict=True))
        case "TRANSPOSE_CONV":
            return _scattered_rows(program, op, height, rows)
        case "STRIDED_SLICE" | "SLICE" if len(program.tensors[op.inputs[0]].shape) == 4:
            begin, step = slice_of(program, op)
            return tuple((begin[1] + y * step[1],) * 2 for y in range(rows))
    return all_rows(height, rows)


def _inside(first: int, last: int, height: int) -> Span:
    return min(max(first, 0), height - 1), max(min(last, height - 1), 0)


def _scattered_rows(program: Program, op: Operation, height: int, rows: int) -> tuple[Span, ...]:
    kernel, stride, _ = window(program, op, 0)
    top = border_before(program, op, 0)
    spans = []
    for y in range(rows):
        last = (y + top) // stride
        first = min(last, -(-(y + top - kernel + 1) // stride))
        spans.append(_inside(first, last, height))
    return tuple(spans)


def _joined_rows(
    program: Program, op: Operation, tensor: int, height: int, rows: int
) -> tuple[Span, ...]:
    at = 0
    for i in op.inputs:
        if i == tensor:
            break
        at += program.tensors[i].shape[1]
    return tuple(_inside(y - at, y - at, height) for y in range(rows))


def window(program: Program, op: Operation, axis: int) -> tuple[int, int, int]:
    """(kernel, stride, dilation) along rows (0) or pixels (1)."""
    o = op.options
    if op.name == "TRANSPOSE_CONV":
        return program.tensors[op.inputs[1]].shape[1 + axis], o["stride" + "HW"[axis]], 1
    if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        kernel = program.tensors[op.inputs[1]].shape[1 + axis]
        return kernel, o["stride" + "HW"[axis]], o[f"dilation{'HW'[axis]}Factor"]
    return o[("filterHeight", "filterWidth")[axis]], o["stride" + "HW"[axis]], 1


def border_before(program: Program, op: Operation, axis: int) -> int:
    """Rows above, or pixels to the left, that the op's padding adds."""
    if op.options["padding"] == "VALID":
        return 0
    kernel, stride, dilation = window(program, op, axis)
    if op.name == "TRANSPOSE_CONV":  # what a convolution from its output to its input would add
        return same_border(program.tensors[op.outputs[0]].shape[1 + axis], kernel, stride)[0]
    return same_border(program.tensors[op.inputs[0]].shape[1 + axis], kernel, stride, dilation)[0]


def pad_widths(program: Program, op: Operation) -> list[tuple[int, int]]:
    """(before, after) of rows, pixels and channels of a PAD."""
    data = program.tensors[op.inputs[1]].data
    assert data is not None
    widths = [(int(a), int(b)) for a, b in data.tolist()]
    return widths[1:] if len(widths) == 4 else [(0, 0)] * (4 - len(widths)) + widths[1:]


def slice_of(program: Program, op: Operation) -> tuple[list[int], list[int]]:
    """(first element, step) along every axis of a STRIDED_SLICE or SLICE."""
    shape = program.tensors[op.inputs[0]].shape
    values = [program.tensors[i].data for i in op.inputs[1:]]
    begin = [int(v) for v in np.asarray(values[0]).reshape(-1)]
    if op.name == "SLICE":
        return begin, [1] * len(begin)
    step = [int(v) for v in np.asarray(values[2]).reshape(-1)]
    mask = op.options.get("beginMask", 0)
    first = [
        slice(None if mask >> axis & 1 else b, None, s).indices(size)[0]
        for axis, (b, s, size) in enumerate(zip(begin, step, shape, strict=False))
    ]
    rest = len(shape) - len(first)
    return first + [0] * rest, step + [1] * rest


def bilinear(program: Program, op: Operation, axis: int) -> tuple[list[int], list[int], list[int]]:
    """For rows (0) or pixels (1): the two read for each written, and the second's weight."""
    size = program.tensors[op.inputs[0]].shape[1 + axis]
    wanted = program.tensors[op.outputs[0]].shape[1 + axis]
    aligned, half = (bool(op.options.get(o)) for o in ("alignCorners", "halfPixelCenters"))
    first, second, weight = bilinear_taps(size, wanted, aligned=aligned, half_pixel=half)
    return first.tolist(), second.tolist(), weight.tolist()


def nearest(size: int, wanted: int) -> list[int]:
    """The element each of ``wanted`` takes, as the kernel forms it in float32."""
    step = np.float32(size) / np.float32(wanted)
    at = np.floor(np.arange(wanted, dtype=np.float32) * step).astype(np.int64)
    return [min(int(i), size - 1) for i in at]
