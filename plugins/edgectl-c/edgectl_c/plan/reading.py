"""Which rows of its input an op reads for a row of its output."""

from __future__ import annotations

from edgectl.quant.integer.padding import same_border
from edgectl.quant.integer.program import Operation, Program

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
        case "LOGISTIC" | "SOFTMAX":
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
    return all_rows(height, rows)


def _inside(first: int, last: int, height: int) -> Span:
    return min(max(first, 0), height - 1), max(min(last, height - 1), 0)


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
    if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        kernel = program.tensors[op.inputs[1]].shape[1 + axis]
        return kernel, o["stride" + "HW"[axis]], o[f"dilation{'HW'[axis]}Factor"]
    return o[("filterHeight", "filterWidth")[axis]], o["stride" + "HW"[axis]], 1


def border_before(program: Program, op: Operation, axis: int) -> int:
    """Rows above, or pixels to the left, that the op's padding adds."""
    if op.options["padding"] == "VALID":
        return 0
    kernel, stride, dilation = window(program, op, axis)
    return same_border(program.tensors[op.inputs[0]].shape[1 + axis], kernel, stride, dilation)[0]


def pad_widths(program: Program, op: Operation) -> list[tuple[int, int]]:
    """(before, after) of rows, pixels and channels of a PAD."""
    data = program.tensors[op.inputs[1]].data
    assert data is not None
    widths = [(int(a), int(b)) for a, b in data.tolist()]
    return widths[1:] if len(widths) == 4 else [(0, 0)] * (4 - len(widths)) + widths[1:]


def nearest(size: int, wanted: int) -> list[int]:
    """The element each of ``wanted`` takes, as the kernel forms it in float32."""
    import numpy as np

    step = np.float32(size) / np.float32(wanted)
    at = np.floor(np.arange(wanted, dtype=np.float32) * step).astype(np.int64)
    return [min(int(i), size - 1) for i in at]
