"""TensorFlow Lite Micro's int8 reference kernels in exact integer arithmetic, batched with numpy.

Each entry of :data:`KERNELS` reads an op's constants once and returns the function that runs it:
int8 arrays (N, ...) in, int8 array out. Sums of products are formed by floating-point matrix
products only where every partial sum is an integer the format holds exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgectl.quant.integer.context import Context, Kernel, Step
from edgectl.quant.integer.fixedpoint import Int, Rescale
from edgectl.quant.integer.gemmlowp import softmax
from edgectl.quant.integer.movement import MOVES
from edgectl.quant.integer.padding import Border, same_border
from edgectl.quant.integer.tables import TABLES
from edgectl.quant.ranges.scheme import QParams

Finish = Callable[[Int], np.ndarray]
"""int32 sums to int8 outputs."""

_FLOAT32_EXACT = 1 << 24
_LARGEST_PRODUCT = 255 * 128
"""|activation - zero point| * |weight|."""

_ADD_SHIFT = 20
"""Both operands of ADD are raised by this many bits before they are brought to one scale."""


def _finish(c: Context, factors: Sequence[float], bounds: tuple[int, int]) -> Finish:
    """int32 sums to int8 outputs."""
    rescale = Rescale(factors)
    _, zero_point = c.qparams(c.output)

    def finish(acc: Int) -> np.ndarray:
        y = rescale(acc)
        y += zero_point
        return np.clip(y, *bounds, out=y).astype(np.int8)

    return finish


def _weighted(c: Context, terms: int) -> tuple[np.ndarray, Int, Finish]:
    """(weights in the float type that sums ``terms`` products exactly, bias, finishing step)."""
    weight, bias_given = c.input(1), len(c.op.inputs) > 2 and c.op.inputs[2] >= 0
    if weight.dtype != "int8" or any(weight.zero_points):
        raise ValueError("weights are not symmetric int8")
    dtype = np.float32 if terms * _LARGEST_PRODUCT < _FLOAT32_EXACT else np.float64
    bias = c.constant(2).astype(np.int64) if bias_given else np.zeros(1, np.int64)
    in_scale, out_scale = c.qparams(c.input(0))[0], c.qparams(c.output)[0]
    finish = _finish(c, [in_scale * s / out_scale for s in weight.scales], c.bounds())
    return c.constant(1).astype(dtype), bias, finish


def _windows(
    x: np.ndarray, borders: Sequence[Border], fill: float, kernel: Sequence[int],
    stride: Sequence[int], dilation: Sequence[int] = (1, 1),
) -> list[np.ndarray]:  # fmt: skip
    """One (N, H', W', C) view a kernel tap, row by row."""
    if any(map(any, borders)):
        x = np.pad(x, [(0, 0), *borders, (0, 0)], constant_values=fill)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    last = [size - r + 1 for size, r in zip(x.shape[1:3], reach, strict=True)]
    return [
        x[:, i * dilation[0] :: stride[0], j * dilation[1] :: stride[1]][
            :, : -(-last[0] // stride[0]), : -(-last[1] // stride[1])
        ]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]


def _conv_geometry(c: Context, kernel: Sequence[int]) -> dict[str, Any]:
    o = c.op.options
    stride, dilation = (o["strideH"], o["strideW"]), (o["dilationHFactor"], o["dilationWFactor"])
    borders = [c.border(1 + i, kernel[i], stride[i], dilation[i]) for i in range(2)]
    return {
        "borders": borders,
        "fill": 0,
        "kernel": kernel,
        "stride": stride,
        "dilation": dilation,
    }


def _conv(c: Context) -> Step:
    out, kh, kw, channels = c.input(1).shape
    groups, rest = divmod(c.input(0).shape[3], channels)
    if rest or out % groups:
        raise ValueError("channels that the groups do not divide")
    weight, bias, finish = _weighted(c, kh * kw * channels)
    # (groups, channels of one, outputs of one) a tap
    taps = [
        np.ascontiguousarray(weight[:, i, j].reshape(groups, -1, channels).transpose(0, 2, 1))
        for i in range(kh)
        for j in range(kw)
    ]
    geometry = _conv_geometry(c, (kh, kw))
    _, zero_point = c.qparams(c.input(0))

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        x = inputs[0].astype(weight.dtype) - zero_point
        views = _windows(x, **geometry)
        if groups == 1:
            rows = sum(v.reshape(-1, channels) @ t[0] for v, t in zip(views, taps, strict=True))
            acc = np.asarray(rows).astype(np.int64)
        else:
            parts = [v.reshape(-1, groups, channels).transpose(1, 0, 2) for v in views]
            rows = sum(p @ t for p, t in zip(parts, taps, strict=True))
            acc = np.asarray(rows).transpose(1, 0, 2).reshape(-1, out).astype(np.int64)
        acc += bias
        return finish(acc).reshape(*views[0].shape[:3], out)

    return step


def _depthwise(c: Context) -> Step:
    _, kh, kw, out = c.input(1).shape
    channels = c.input(0).shape[3]
    weight, bias, finish = _weighted(c, kh * kw)
    taps = weight.reshape(kh * kw, channels, out // channels)
    geometry = _conv_geometry(c, (kh, kw))
    _, zero_point = c.qparams(c.input(0))

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        x = inputs[0].astype(weight.dtype) - zero_point
        views = _windows(x, **geometry)
        acc = np.zeros((*views[0].shape, out // channels), weight.dtype)
        for view, tap in zip(views, taps, strict=True):
            acc += view[..., None] * tap
        total = acc.reshape(*views[0].shape[:3], out).astype(np.int64)
        total += bias
        return finish(total)

    return step


def _fully_connected(c: Context) -> Step:
    out, features = c.input(1).shape
    weight, bias, finish = _weighted(c, features)
    _, zero_point = c.qparams(c.input(0))
    if c.op.options.get("keepNumDims"):
        raise ValueError("keepNumDims")

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        x = inputs[0].reshape(len(inputs[0]), -1, features).astype(weight.dtype) - zero_point
        acc = (x @ weight.T).astype(np.int64) + bias
        return finish(acc).reshape(-1, out)

    return step


def _add(c: Context) -> Step:
    quantized = [c.qparams(c.input(i)) for i in range(2)]
    twice_largest = 2.0 * max(s for s, _ in quantized)
    to_common = [Rescale([s / twice_largest]) for s, _ in quantized]
    factor = twice_largest / ((1 << _ADD_SHIFT) * c.qparams(c.output)[0])
    finish = _finish(c, [factor], c.bounds())
    read = _operands(c)

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        raised = (
            rescale((x.astype(np.int64) - z) << _ADD_SHIFT)
            for rescale, x, (_, z) in zip(to_common, read(inputs), quantized, strict=True)
        )
        return finish(np.add(*raised))

    return step


def _mul(c: Context) -> Step:
    (s1, z1), (s2, z2) = (c.qparams(c.input(i)) for i in range(2))
    finish = _finish(c, [s1 * s2 / c.qparams(c.output)[0]], c.bounds())
    read = _operands(c)

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        a, b = read(inputs)
        return finish((a.astype(np.int64) - z1) * (b.astype(np.int64) - z2))

    return step


def _operands(c: Context) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    """Inputs with constant operands filled in."""
    fixed = [c.input(i).data for i in range(2)]

    def read(inputs: list[np.ndarray]) -> list[np.ndarray]:
        return [x if k is None else k for x, k in zip(inputs, fixed, strict=True)]

    return read


def _concat(c: Context) -> Step:
    axis = c.op.options["axis"] % len(c.output.shape)
    c.bounds()
    if axis == 0:
        raise ValueError("concatenation of images")
    # The micro kernel copies bytes whatever the scales are, so scales are not compared here.
    return lambda inputs: np.concatenate(inputs, axis=axis)


def _lookup(c: Context) -> Step:
    source, target = (QParams(*c.qparams(t)) for t in (c.input(0), c.output))
    table = TABLES[c.op.name](source, target, c.op.options)
    return lambda inputs: table[inputs[0].astype(np.int64) + 128]


def _softmax(c: Context) -> Step:
    scale, _ = c.qparams(c.input(0))
    _require_probability(c)
    beta = c.op.options["beta"]
    return lambda inputs: softmax(inputs[0], scale, beta)


def _require_probability(c: Context) -> None:
    if c.qparams(c.output) != (1.0 / 256.0, -128):
        raise ValueError("output parameters other than 1/256, -128")


def _mean(c: Context) -> Step:
    axes = sorted(int(a) % len(c.input(0).shape) for a in c.constant(1).reshape(-1))
    if axes != [1, 2] or len(c.input(0).shape) != 4:
        raise ValueError("mean over other than height and width")
    in_scale, zero_in = c.qparams(c.input(0))
    out_scale, zero_out = c.qparams(c.output)
    count = c.input(0).shape[1] * c.input(0).shape[2]
    rescale = Rescale([in_scale / out_scale]).divided_by(count)
    shape = c.output.shape[1:]

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        total = (inputs[0].astype(np.int64) - zero_in).sum(axis=(1, 2))
        y = np.clip(rescale(total) + zero_out, -128, 127)
        return np.asarray(y, np.int8).reshape(-1, *shape)

    return step


def _pool_geometry(c: Context) -> tuple[tuple[int, int], tuple[int, int], list[Border]]:
    o = c.op.options
    kernel, stride = (o["filterHeight"], o["filterWidth"]), (o["strideH"], o["strideW"])
    c.require_same_scale([0])
    return kernel, stride, [c.border(1 + i, kernel[i], stride[i]) for i in range(2)]


def _max_pool(c: Context) -> Step:
    kernel, stride, borders = _pool_geometry(c)
    bounds = c.bounds()

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        views = _windows(inputs[0], borders, -128, kernel, stride)
        return np.asarray(np.clip(np.maximum.reduce(views), *bounds))

    return step


def _average_pool(c: Context) -> Step:
    kernel, stride, borders = _pool_geometry(c)
    bounds = c.bounds()

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        x = inputs[0].astype(np.int64)
        total = np.add.reduce(_windows(x, borders, 0, kernel, stride))
        inside = np.ones((1, *x.shape[1:3], 1), np.int64)
        count = np.add.reduce(_windows(inside, borders, 0, kernel, stride))
        # Half away from zero: the kernel adds half the count and truncates.
        mean = np.sign(total) * ((np.abs(total) + count // 2) // count)
        return np.asarray(np.clip(mean, *bounds), np.int8)

    return step


def _transpose_conv(c: Context) -> Step:
    """Every input pixel times the kernel, added up where it falls."""
    out, kh, kw, _channels = c.input(1).shape
    weight, in_scale, bias = c.input(1), c.qparams(c.input(2))[0], np.zeros(1, np.int64)
    if weight.dtype != "int8" or any(weight.zero_points):
        raise ValueError("weights are not symmetric int8")
    if len(c.op.inputs) > 3 and c.op.inputs[3] >= 0:
        bias = c.constant(3).astype(np.int64)
    out_scale = c.qparams(c.output)[0]
    finish = _finish(c, [in_scale * s / out_scale for s in weight.scales], c.bounds())
    taps = c.constant(1).astype(np.float64)
    o, (_, height, width, _) = c.op.options, c.output.shape
    stride = (o["strideH"], o["strideW"])
    _, zero_point = c.qparams(c.input(2))
    borders = [
        (0, 0) if o["padding"] == "VALID" else same_border(size, k, s)
        for size, k, s in zip((height, width), (kh, kw), stride, strict=True)
    ]

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        x = inputs[2].astype(np.float64) - zero_point
        n, rows, columns, _ = x.shape
        reach = [
            (s - 1) * st + k for s, st, k in zip((rows, columns), stride, (kh, kw), strict=True)
        ]
        size = [max(r, b[0] + s) for r, b, s in zip(reach, borders, (height, width), strict=True)]
        total = np.zeros((n, *size, out))
        for i in range(kh):
            for j in range(kw):
                part = total[
                    :, i : i + rows * stride[0] : stride[0], j : j + columns * stride[1] : stride[1]
                ]
                part += x @ taps[:, i, j].T
        top, left = borders[0][0], borders[1][0]
        acc = total[:, top : top + height, left : left + width].astype(np.int64) + bias
        return finish(acc)

    return step


def _prelu(c: Context) -> Step:
    (scale, zero), (alpha_scale, alpha_zero) = (c.qparams(c.input(i)) for i in (0, 1))
    out_scale, out_zero = c.qparams(c.output)
    above, below = Rescale([scale / out_scale]), Rescale([scale * alpha_scale / out_scale])
    alpha = c.constant(1).astype(np.int64) - alpha_zero

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        x = inputs[0].astype(np.int64) - zero
        y = np.where(x >= 0, above(x), below(x * alpha)) + out_zero
        return np.asarray(np.clip(y, -128, 127), np.int8)

    return step


def _batch_matmul(c: Context) -> Step:
    (s1, z1), (s2, z2) = (c.qparams(c.input(i)) for i in range(2))
    finish = _finish(c, [s1 * s2 / c.qparams(c.output)[0]], (-128, 127))
    flags = (c.op.options.get("adjX"), c.op.options.get("adjY"))

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        a, b = (
            np.swapaxes(x, -1, -2) if flag else x for x, flag in zip(inputs, flags, strict=True)
        )
        # exact: 2**53 holds the sum of 2**37 products
        acc = (a.astype(np.float64) - z1) @ (b.astype(np.float64) - z2)
        return finish(acc.astype(np.int64))

    return step


KERNELS: dict[str, Kernel] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _add,
    "MUL": _mul,
    "CONCATENATION": _concat,
    **dict.fromkeys(TABLES, _lookup),
    "SOFTMAX": _softmax,
    "MEAN": _mean,
    "MAX_POOL_2D": _max_pool,
    "AVERAGE_POOL_2D": _average_pool,
    "TRANSPOSE_CONV": _transpose_conv,
    "PRELU": _prelu,
    "BATCH_MATMUL": _batch_matmul,
    **MOVES,
}
