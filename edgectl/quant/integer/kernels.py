"""TensorFlow Lite Micro's int8 reference kernels in exact integer arithmetic, batched with numpy.

Each entry of :data:`KERNELS` reads an op's constants once and returns the function that runs it:
int8 arrays (N, ...) in, int8 array out. Sums of products are formed by floating-point matrix
products only where every partial sum is an integer the format holds exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgectl.quant.integer.fixedpoint import Int, Rescale, activation_bounds
from edgectl.quant.integer.gemmlowp import logistic_table, softmax
from edgectl.quant.integer.padding import Border, same_border
from edgectl.quant.integer.program import Operation, Program, TensorRecord

Step = Callable[[list[np.ndarray]], np.ndarray]
Kernel = Callable[["Context"], Step]
Finish = Callable[[Int], np.ndarray]
"""int32 sums to int8 outputs."""

_FLOAT32_EXACT = 1 << 24
_LARGEST_PRODUCT = 255 * 128
"""|activation - zero point| * |weight|."""

_ADD_SHIFT = 20
"""Both operands of ADD are raised by this many bits before they are brought to one scale."""


class Context:
    """One op with its tensors. Raises ValueError where a kernel's assumptions do not hold."""

    def __init__(self, model: Program, op: Operation) -> None:
        self.op = op
        self._model = model

    def input(self, i: int) -> TensorRecord:
        """The i-th input tensor."""
        return self._model.tensors[self.op.inputs[i]]

    @property
    def output(self) -> TensorRecord:
        """The only output tensor."""
        return self._model.tensors[self.op.outputs[0]]

    def qparams(self, tensor: TensorRecord) -> tuple[float, int]:
        """Per-tensor int8 parameters."""
        if tensor.dtype != "int8" or len(tensor.scales) != 1:
            raise ValueError(f"'{tensor.name}' is not int8 with one scale")
        return tensor.scales[0], tensor.zero_points[0]

    def constant(self, i: int) -> np.ndarray:
        """Contents of a constant input."""
        data = self.input(i).data
        if data is None:
            raise ValueError(f"'{self.input(i).name}' is not constant")
        return data

    def bounds(self) -> tuple[int, int]:
        """The fused clamp of the op."""
        clamp = self.op.options.get("fusedActivationFunction", "NONE")
        if clamp not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            raise ValueError(f"fused activation {clamp}")
        return activation_bounds(clamp, *self.qparams(self.output))

    def border(self, axis: int, kernel: int, stride: int, dilation: int = 1) -> Border:
        """What the op's padding adds along a dimension of its first input."""
        if self.op.options["padding"] == "VALID":
            return 0, 0
        return same_border(self.input(0).shape[axis], kernel, stride, dilation)

    def require_same_scale(self, inputs: Sequence[int]) -> None:
        """For kernels that copy values."""
        for i in inputs:
            if self.qparams(self.input(i)) != self.qparams(self.output):
                raise ValueError("input and output scales differ")


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
    if c.input(0).shape[3] != channels:
        raise ValueError("grouped convolution")
    weight, bias, finish = _weighted(c, kh * kw * channels)
    taps = [np.ascontiguousarray(weight[:, i, j].T) for i in range(kh) for j in range(kw)]
    geometry = _conv_geometry(c, (kh, kw))
    _, zero_point = c.qparams(c.input(0))

    def step(inputs: list[np.ndarray]) -> np.ndarray:
        x = inputs[0].astype(weight.dtype) - zero_point
        views = _windows(x, **geometry)
        rows = sum(v.reshape(-1, channels) @ t for v, t in zip(views, taps, strict=True))
        acc = np.asarray(rows).astype(np.int64)
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


def _logistic(c: Context) -> Step:
    table = logistic_table(*c.qparams(c.input(0)))
    _require_probability(c)
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


KERNELS: dict[str, Kernel] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _add,
    "MUL": _mul,
    "CONCATENATION": _concat,
    "LOGISTIC": _logistic,
    "SOFTMAX": _softmax,
    "MEAN": _mean,
    "MAX_POOL_2D": _max_pool,
    "AVERAGE_POOL_2D": _average_pool,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _reshape,
    "TRANSPOSE": _transpose,
}
