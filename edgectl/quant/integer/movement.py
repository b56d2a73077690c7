"""Kernels that move elements, or mix neighbors, on one grid: no op here rescales."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgectl.quant.integer.context import Context, Kernel, Step

_FRACTION = 10
"""Bits of a position between two pixels."""


def _resize_nearest(c: Context) -> Step:
    if c.op.options.get("alignCorners") or c.op.options.get("halfPixelCenters"):
        raise ValueError("alignCorners or halfPixelCenters")
    index = []
    for axis in (1, 2):
        size, wanted = c.input(0).shape[axis], int(c.constant(1)[axis - 1])
        step_size = np.float32(size) / np.float32(wanted)
        at = np.floor(np.arange(wanted, dtype=np.float32) * step_size).astype(np.int64)
        index.append(np.minimum(at, size - 1))
    rows, columns = index
    return lambda inputs: inputs[0][:, rows][:, :, columns]


def _pad(c: Context) -> Step:
    widths = c.constant(1).tolist()
    if any(widths[0]):
        raise ValueError("padding between images")
    c.require_same_scale([0])
    value = int(c.constant(2).reshape(())) if c.op.name == "PADV2" else c.qparams(c.output)[1]
    return lambda inputs: np.pad(inputs[0], widths, constant_values=value)


def _reshape(c: Context) -> Step:
    shape = c.output.shape[1:]
    if c.output.shape[:1] != (1,):
        raise ValueError("reshape across the batch")
    return lambda inputs: inputs[0].reshape(-1, *shape)


def _transpose(c: Context) -> Step:
    order = c.constant(1).tolist()
    if order[0] != 0:
        raise ValueError("transpose of the batch")
    return lambda inputs: np.ascontiguousarray(inputs[0].transpose(order))


def bilinear_taps(
    size: int, wanted: int, *, aligned: bool, half_pixel: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first element, second element, weight of the second in 1024ths) for each of ``wanted``, as the
    kernel's integers give them. The weight may be outside 0 .. 1024 at the border."""
    one = 1 << _FRACTION
    step = (one * size + wanted // 2) // wanted
    if aligned and wanted > 1:
        step = (one * (size - 1) + (wanted - 1) // 2) // (wanted - 1)
    at = np.arange(wanted, dtype=np.int64) * step
    if half_pixel:
        at = at + step // 2 - one // 2
    # division truncates towards zero
    first = np.maximum(np.trunc(at / one).astype(np.int64), 0)
    second = np.minimum(np.trunc((at + one - 1) / one).astype(np.int64), size - 1)
    return first, second, at - one * first


def _resize_bilinear(c: Context) -> Step:
    c.require_same_scale([0])
    o = c.op.options
    flags = {"aligned": bool(o.get("alignCorners")), "half_pixel": bool(o.get("halfPixelCenters"))}
    rows, columns = (
        bilinear_taps(c.input(0).shape[axis], int(c.constant(1)[axis - 1]), **flags)
        for axis in (1, 2)
    )
    one, half = 1 << _FRACTION, 1 << (2 * _FRACTION - 1)
    y0, y1, v = rows[0], rows[1], rows[2][:, None, None]
    x0, x1, u = columns[0], columns[1], columns[2][:, None]

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        x = inputs[0].astype(np.int64)
        above, below = x[:, y0], x[:, y1]
        total = (above[:, :, x0] * (one - u) + above[:, :, x1] * u) * (one - v)
        total += (below[:, :, x0] * (one - u) + below[:, :, x1] * u) * v
        # half away from zero, then towards zero
        mean = np.sign(total) * ((np.abs(total) + half) >> (2 * _FRACTION))
        return np.asarray(mean, np.int8)

    return step


def _strided_slice(c: Context) -> Step:
    o = c.op.options
    if o.get("newAxisMask") or o.get("ellipsisMask"):
        raise ValueError("new axes")
    begin, end, strides = (c.constant(i).reshape(-1).tolist() for i in (1, 2, 3))
    at = [slice(None)]
    for axis, size in enumerate(c.input(0).shape[: len(begin)]):
        first = None if o.get("beginMask", 0) >> axis & 1 else begin[axis]
        last = None if o.get("endMask", 0) >> axis & 1 else end[axis]
        step_size = strides[axis]
        if o.get("shrinkAxisMask", 0) >> axis & 1:
            first, step_size = begin[axis], 1
            last = first + 1 if first != -1 else None
        kept = slice(first, last, step_size)
        if axis == 0 and kept.indices(size) != (0, 1, 1):
            raise ValueError("a slice of the batch")
        if axis:
            at.append(kept)
    return _reshaped(c, lambda x: x[tuple(at)])


def _slice(c: Context) -> Step:
    begin, size = (c.constant(i).reshape(-1).tolist() for i in (1, 2))
    if begin[0]:
        raise ValueError("a slice of the batch")
    at = [slice(b, None if s < 0 else b + s) for b, s in zip(begin, size, strict=True)]
    at[0] = slice(None)
    return lambda inputs: inputs[0][tuple(at)]


def _reshaped(c: Context, move: Callable[[np.ndarray], np.ndarray]) -> Step:
    shape = c.output.shape[1:]
    return lambda inputs: move(inputs[0]).reshape(len(inputs[0]), *shape)


def _split(c: Context) -> Step:
    """SPLIT (axis, tensor) and SPLIT_V (tensor, sizes, axis)."""
    by_sizes = c.op.name == "SPLIT_V"
    source = 0 if by_sizes else 1
    axis = int(c.constant(2 if by_sizes else 0).reshape(())) % len(c.input(source).shape)
    if axis == 0:
        raise ValueError("a split of the batch")
    ends = np.cumsum([shape[axis] for shape in c.output_shapes])[:-1].tolist()
    return lambda inputs: [
        np.ascontiguousarray(part) for part in np.split(inputs[source], ends, axis=axis)
    ]


def _tile(c: Context) -> Step:
    counts: Sequence[int] = c.constant(1).reshape(-1).tolist()
    if counts[0] != 1:
        raise ValueError("repetition of the batch")
    return lambda inputs: np.tile(inputs[0], counts)


def _space_to_depth(c: Context) -> Step:
    size = int(c.op.options["blockSize"])

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        n, h, w, channels = inputs[0].shape
        x = inputs[0].reshape(n, h // size, size, w // size, size, channels)
        return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, h // size, w // size, -1)

    return step


def _depth_to_space(c: Context) -> Step:
    size = int(c.op.options["blockSize"])

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        n, h, w, channels = inputs[0].shape
        x = inputs[0].reshape(n, h, w, size, size, channels // size**2)
        return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * size, w * size, -1)

    return step


def _mirror_pad(c: Context) -> Step:
    widths = c.constant(1).tolist()
    if any(widths[0]):
        raise ValueError("padding between images")
    mode = "symmetric" if c.op.options["mode"] else "reflect"
    if mode == "reflect":
        return lambda inputs: np.pad(inputs[0], widths, mode="reflect")
    return lambda inputs: np.pad(inputs[0], widths, mode="symmetric")


MOVES: dict[str, Kernel] = {
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "RESIZE_BILINEAR": _resize_bilinear,
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _mirror_pad,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "TRANSPOSE": _transpose,
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "TILE": _tile,
    "SPACE_TO_DEPTH": _space_to_depth,
    "DEPTH_TO_SPACE": _depth_to_space,
}
"""By op."""
