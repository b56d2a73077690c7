"""The integer executor: reads a file back and computes what the microcontroller's kernels compute.

It shares nothing with the writer but the file, so agreement with the device interpreter proves both.
Whole batches run at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from edgectl.errors import ArtifactError
from torch.nn import functional as F

from edgectl_tflite import kernels
from edgectl_tflite.read import FileGraph, OperatorInfo, TensorInfo
from edgectl_tflite.write import same_padding

_SAME = 0
# integers up to here are exact in float32
_FLOAT32_EXACT = 1 << 24


class IntegerExecutor:
    """Runs an int8 file. Raises ArtifactError for operators it does not know."""

    def __init__(self, graph: FileGraph, where: str = "") -> None:
        unknown = sorted({o.builtin for o in graph.operators} - set(_KERNELS))
        if unknown:
            raise ArtifactError(
                f"the integer executor has no kernel for {', '.join(unknown)}",
                where=where or None,
                fix="use --runtime litert or tflm",
            )
        wrong = [t.name for t in graph.tensors if t.dtype == np.float32]
        if wrong:
            raise ArtifactError(
                f"not an int8 file: '{wrong[0]}' is float32",
                where=where or None,
                fix="use --runtime litert",
            )
        self.graph = graph

    def __call__(self, codes: np.ndarray) -> list[np.ndarray]:
        """int8 (N, H, W, C) to the int8 outputs, N first."""
        values: dict[int, np.ndarray] = {self.graph.inputs[0]: codes}
        for operator in self.graph.operators:
            result = _KERNELS[operator.builtin](_Call(self.graph, operator, values))
            values[operator.outputs[0]] = result.astype(np.int8)
        return [values[o] for o in self.graph.outputs]


class _Call:
    """One operator with its operands."""

    def __init__(
        self, graph: FileGraph, operator: OperatorInfo, values: dict[int, np.ndarray]
    ) -> None:
        self._graph, self._values = graph, values
        self.operator, self.options = operator, operator.options

    def info(self, i: int) -> TensorInfo:
        return self._graph.tensors[self.operator.inputs[i]]

    @property
    def out(self) -> TensorInfo:
        return self._graph.tensors[self.operator.outputs[0]]

    def value(self, i: int) -> np.ndarray:
        index = self.operator.inputs[i]
        constant = self._graph.tensors[index].data
        return constant if constant is not None else self._values[index]

    def constant(self, i: int) -> np.ndarray:
        data = self.info(i).data
        assert data is not None
        return data

    def clamp(self, y: np.ndarray) -> np.ndarray:
        fused = int(self.options.get("fusedActivationFunction") or 0)
        low, high = kernels.activation_bounds(fused, *params(self.out))
        return np.clip(y, low, high)


def params(t: TensorInfo) -> tuple[float, int]:
    """(float32 scale as a float, zero point) of a per-tensor quantised tensor."""
    return float(t.scale[0]), int(t.zero_point[0])


def _requantize(c: _Call, accumulator: np.ndarray, weight: TensorInfo) -> np.ndarray:
    """int32 accumulators, channels last, to output codes."""
    scale_in, scale_out = params(c.info(0))[0], params(c.out)[0]
    pairs = [
        kernels.quantize_multiplier(scale_in * float(s) / scale_out)
        for s in np.broadcast_to(weight.scale, accumulator.shape[-1:])
    ]
    multiplier, exponent = (np.array(v, np.int64) for v in zip(*pairs, strict=True))
    return c.clamp(kernels.rescale(accumulator, multiplier, exponent) + params(c.out)[1])


def _convolution(c: _Call, depthwise: bool) -> np.ndarray:
    weight, options = c.info(1), c.options
    w = c.constant(1).astype(np.int64)
    # file layout: conv (out, kh, kw, in), depthwise (1, kh, kw, out)
    w = w.transpose(3, 0, 1, 2) if depthwise else w.transpose(0, 3, 1, 2)
    kernel = w.shape[2:]
    stride = (int(options["strideH"]), int(options["strideW"]))
    dilation = (int(options["dilationHFactor"]), int(options["dilationWFactor"]))
    x = _nchw(c.value(0).astype(np.int64) - params(c.info(0))[1])
    x = _pad(x, kernel, stride, dilation, int(options["padding"]))
    exact = torch.float32 if w[0].size * 128 * 256 < _FLOAT32_EXACT else torch.float64
    y = F.conv2d(
        torch.from_numpy(x).to(exact),
        torch.from_numpy(w).to(exact),
        None,
        stride,
        0,
        dilation,
        w.shape[0] if depthwise else 1,
    )
    accumulator = y.permute(0, 2, 3, 1).to(torch.int64).numpy() + c.constant(2).astype(np.int64)
    return _requantize(c, accumulator, weight)


def _conv(c: _Call) -> np.ndarray:
    return _convolution(c, depthwise=False)


def _depthwise(c: _Call) -> np.ndarray:
    return _convolution(c, depthwise=True)


def _fully_connected(c: _Call) -> np.ndarray:
    x = c.value(0).astype(np.int64) - params(c.info(0))[1]
    w = c.constant(1).astype(np.int64)
    accumulator = x.reshape(len(x), -1) @ w.T + c.constant(2).astype(np.int64)
    return _requantize(c, accumulator, c.info(1))


def _add(c: _Call) -> np.ndarray:
    q = [params(c.info(i)) for i in (0, 1)]
    return c.clamp(kernels.add(c.value(0), c.value(1), q[0], q[1], params(c.out)))


def _mul(c: _Call) -> np.ndarray:
    q = [params(c.info(i)) for i in (0, 1)]
    return c.clamp(kernels.multiply(c.value(0), c.value(1), q[0], q[1], params(c.out)))


def _mean(c: _Call) -> np.ndarray:
    axes = tuple(int(a) for a in c.constant(1))
    return np.clip(kernels.mean(c.value(0), axes, params(c.info(0)), params(c.out)), -128, 127)


def _logistic(c: _Call) -> np.ndarray:
    table = kernels.logistic_table(*params(c.info(0)))
    return table[c.value(0).astype(np.int64) + 128]


def _concatenation(c: _Call) -> np.ndarray:
    parts = [c.value(i) for i in range(len(c.operator.inputs))]
    return np.concatenate(parts, axis=int(c.options["axis"]))


def _windows(c: _Call, fill: int) -> np.ndarray:
    """(N, C, H', W', kh, kw) int64 view of the pooled windows."""
    o = c.options
    kernel = (int(o["filterHeight"]), int(o["filterWidth"]))
    stride = (int(o["strideH"]), int(o["strideW"]))
    x = _pad(_nchw(c.value(0).astype(np.int64)), kernel, stride, (1, 1), int(o["padding"]), fill)
    view = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


def _max_pool(c: _Call) -> np.ndarray:
    return c.clamp(_windows(c, -128).max(axis=(4, 5)).transpose(0, 2, 3, 1))


def _average_pool(c: _Call) -> np.ndarray:
    windows = _windows(c, 0)
    count = windows.shape[4] * windows.shape[5]
    return c.clamp(kernels.average(windows.sum(axis=(4, 5)), count).transpose(0, 2, 3, 1))


def _resize(c: _Call) -> np.ndarray:
    x, (height, width) = c.value(0), (int(n) for n in c.constant(1))
    return x.repeat(height // x.shape[1], axis=1).repeat(width // x.shape[2], axis=2)


def _padding(c: _Call) -> np.ndarray:
    fill = params(c.info(0))[1] if len(c.operator.inputs) == 2 else int(c.constant(2)[0])
    borders = [(int(a), int(b)) for a, b in c.constant(1)]
    return np.pad(c.value(0), borders, constant_values=fill)


def _reshape(c: _Call) -> np.ndarray:
    x = c.value(0)
    return x.reshape(len(x), *c.out.shape[1:])


def _nchw(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def _pad(
    x: np.ndarray, kernel: Any, stride: Any, dilation: Any, padding: int, fill: int = 0
) -> np.ndarray:
    if padding != _SAME:
        return x
    rows = same_padding(x.shape[2], kernel[0], stride[0], dilation[0])
    columns = same_padding(x.shape[3], kernel[1], stride[1], dilation[1])
    return np.pad(x, ((0, 0), (0, 0), rows, columns), constant_values=fill)


_KERNELS: dict[str, Callable[[_Call], np.ndarray]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _add,
    "MUL": _mul,
    "MEAN": _mean,
    "LOGISTIC": _logistic,
    "CONCATENATION": _concatenation,
    "MAX_POOL_2D": _max_pool,
    "AVERAGE_POOL_2D": _average_pool,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "PAD": _padding,
    "PADV2": _padding,
    "RESHAPE": _reshape,
}
