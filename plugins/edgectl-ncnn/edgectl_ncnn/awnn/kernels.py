"""What each layer of an awnn file computes, in integers.

Tensors are (N, C, H, W), or (N, C) after a fully connected layer, and hold integers of an int8 tensor as
float32. Assumed, as no board has confirmed it: every rescaling rounds once, half to even, and
saturates to -128..127; a sum's smaller operand is rounded before it is added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edgectl_ncnn.awnn import fields
from edgectl_ncnn.awnn.grid import ONE
from edgectl_ncnn.awnn.order import from_npu
from edgectl_ncnn.awnn.requantize import Multiplier
from edgectl_ncnn.reader.paramfile import Layer

QMIN, QMAX = -128, 127
_EXACT_FLOAT32 = 1 << 24

Step = Callable[[list[Tensor]], Tensor]


@dataclass(frozen=True)
class Context:
    """A layer with its numbers and the scales of what it reads."""

    layer: Layer
    weights: Mapping[str, np.ndarray]
    input_scales: tuple[float, ...]


def saturate(y: Tensor) -> Tensor:
    """Real to the integers of an int8 tensor."""
    return torch.round(y).clamp(QMIN, QMAX).float()


def _rescale(y: Tensor, m: Multiplier) -> Tensor:
    return saturate(y.double() * m.real)


def _second(layer: Layer, first: int, second: int, default: int) -> tuple[int, int]:
    """(vertical, horizontal): the second key defaults to the first's value."""
    x = layer.integer(first, default)
    return layer.integer(second, x), x


def _borders(layer: Layer, left: int, top: int, right: int, bottom: int) -> tuple[int, ...]:
    """(left, right, top, bottom), the order of torch."""
    x = layer.integer(left)
    y = layer.integer(top, x)
    return x, layer.integer(right, x), y, layer.integer(bottom, y)


def _weighted(c: Context, kernel: Callable[[tuple[int, ...]], tuple[int, int]]) -> Step:
    layer = c.layer
    out = layer.integer(0)
    output = fields.output_multiplier(layer)
    bias = torch.from_numpy(c.weights["bias"].astype(np.float64))
    if fields.BIAS_MULT in layer.params:
        m = fields.read_multiplier(layer, fields.BIAS_MULT, fields.BIAS_SHIFT)
        bias = torch.round(bias * m.real)
    factor = torch.from_numpy(c.weights["factor"].astype(np.float64) / ONE)
    stride, dilation = _second(layer, 3, 13, 1), _second(layer, 2, 12, 1)
    borders = _borders(layer, 4, 14, 15, 16)
    convolution = layer.type == "Convolution"
    if not convolution:
        stride, dilation, borders = (1, 1), (1, 1), (0, 0, 0, 0)

    def step(inputs: list[Tensor]) -> Tensor:
        x = inputs[0] if inputs[0].ndim == 4 else inputs[0][:, :, None, None]
        shape = (out, x.shape[1], *kernel(tuple(x.shape)))
        weight = torch.from_numpy(from_npu(c.weights["weight"], shape).astype(np.float32))
        # Sums of integers below 2^24 are exact in float32, in any order.
        if float(weight.abs().sum(dim=(1, 2, 3)).max()) * -QMIN >= _EXACT_FLOAT32:
            weight, x = weight.double(), x.double()
        sums = F.conv2d(F.pad(x, borders), weight, None, stride, 0, dilation)
        channel = (1, -1, 1, 1)
        y = (sums.double() + bias.reshape(channel)) * factor.reshape(channel)
        return _rescale(y, output) if convolution else _rescale(y, output).flatten(1)

    return step


def _conv(c: Context) -> Step:
    size = _second(c.layer, 1, 11, 0)
    return _weighted(c, lambda shape: size)


def _linear(c: Context) -> Step:
    return _weighted(c, lambda shape: (shape[2], shape[3]))


def _relu(c: Context) -> Step:
    m = fields.output_multiplier(c.layer)
    return lambda v: _rescale(v[0].clamp_min(0), m)


def _prelu(c: Context) -> Step:
    m = fields.output_multiplier(c.layer)
    slope = torch.from_numpy(c.weights["slope"].astype(np.float64) / ONE)

    def step(v: list[Tensor]) -> Tensor:
        x = v[0].double()
        return _rescale(torch.where(x < 0, x * slope.reshape(-1, 1, 1), x), m)

    return step


def _pool(c: Context) -> Step:
    layer, m = c.layer, fields.output_multiplier(c.layer)
    average = layer.integer(0) == 1
    if layer.integer(4):

        def everything(v: list[Tensor]) -> Tensor:
            x = v[0].double()
            pooled = x.mean((2, 3), keepdim=True) if average else x.amax((2, 3), keepdim=True)
            return _rescale(pooled, m)

        return everything
    size, stride = _second(layer, 1, 11, 0), _second(layer, 2, 12, 1)
    borders = _borders(layer, 3, 13, 14, 15)

    def step(v: list[Tensor]) -> Tensor:
        x = F.pad(v[0], borders, value=0.0 if average else QMIN).double()
        pooled = F.avg_pool2d(x, size, stride) if average else F.max_pool2d(x, size, stride)
        return _rescale(pooled, m)

    return step


def _sum(c: Context) -> Step:
    layer = c.layer
    if layer.integer(0) != 1 or len(layer.inputs) != 2:
        raise layer.damaged("only sums of two tensors are known")
    base = 0 if layer.integer(fields.BASE) else 1
    output = fields.output_multiplier(layer)
    other = fields.read_multiplier(layer, fields.OTHER_MULT, fields.OTHER_SHIFT)

    def step(v: list[Tensor]) -> Tensor:
        brought = torch.round(v[1 - base].double() * other.real)
        return _rescale(v[base].double() + brought, output)

    return step


def _concat(c: Context) -> Step:
    if len(set(c.input_scales)) > 1:
        raise c.layer.damaged("concatenates tensors of different scales")
    return lambda v: torch.cat(v, 1)


def _interp(c: Context) -> Step:
    if c.layer.integer(0) != 1:
        raise c.layer.damaged("only nearest-neighbor resizing is known")
    size = (c.layer.number(1, 1.0), c.layer.number(2, 1.0))
    return lambda v: F.interpolate(v[0], scale_factor=size, mode="nearest")


NPU_KERNELS: dict[str, Callable[[Context], Step]] = {
    "Convolution": _conv,
    "InnerProduct": _linear,
    "ReLU": _relu,
    "PReLU": _prelu,
    "Pooling": _pool,
    "Eltwise": _sum,
    "Concat": _concat,
    "Interp": _interp,
    "Split": lambda c: lambda v: v[0],
}


def _depthwise(c: Context) -> Step:
    layer = c.layer
    out, groups = layer.integer(0), layer.integer(7, 1)
    size = _second(layer, 1, 11, 0)
    stride, dilation = _second(layer, 3, 13, 1), _second(layer, 2, 12, 1)
    borders = _borders(layer, 4, 14, 15, 16)
    weight = torch.from_numpy(c.weights["weight"].astype(np.float32)).reshape(out, -1, *size)
    bias = torch.from_numpy(c.weights["bias"].copy()) if "bias" in c.weights else None
    return lambda v: F.conv2d(F.pad(v[0], borders), weight, bias, stride, 0, dilation, groups)


def _clip(c: Context) -> Step:
    low, high = c.layer.number(0), c.layer.number(1)
    return lambda v: v[0].clamp(low, high)


CPU_KERNELS: dict[str, Callable[[Context], Step]] = {
    "ConvolutionDepthWise": _depthwise,
    "Clip": _clip,
    "Softmax": lambda c: lambda v: torch.softmax(v[0], 1),
}
"""These compute with real numbers; the simulator converts before and after."""
