"""What each ONNX operator becomes in the graph, as a table.

A handler takes a node's inputs and attributes, named as on https://onnx.ai/onnx/operators/, and says what
they mean in terms of :mod:`~edgectl.quant.graph.semantics`. Opsets 9 to 21: what an opset turned from an
attribute into an input is read from both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgectl.quant.graph import semantics as to
from edgectl.quant.graph.draft import DraftBuilder, Ref, Value


@dataclass(frozen=True)
class Call:
    """One node of a file, its inputs resolved.

    Attributes:
        inputs: None for an input that is left out.
        shapes: of the outputs.
    """

    op: str
    inputs: Sequence[Value | None]
    attributes: dict[str, Any]
    shapes: Sequence[tuple[int, ...]]

    def optional(self, index: int) -> Value | None:
        """An input, or None where the node has none there."""
        return self.inputs[index] if index < len(self.inputs) else None

    def numbers(self, name: str, index: int) -> list[int] | None:
        """Integers given as an attribute, in older opsets, or as an input."""
        if name in self.attributes:
            return [int(v) for v in self.attributes[name]]
        value = self.optional(index)
        return [int(v) for v in value.flatten()] if isinstance(value, Tensor) else None

    def number(self, name: str, index: int) -> float | None:
        """As :meth:`numbers`, one of them."""
        if name in self.attributes:
            return float(self.attributes[name])
        value = self.optional(index)
        return float(value) if isinstance(value, Tensor) and value.numel() else None


Result = Value | list[Ref]
Handler = Callable[[DraftBuilder, Call], Result]


def _x(b: DraftBuilder, call: Call) -> Ref:
    return to.require_ref(b, call.optional(0))


def _constant(b: DraftBuilder, call: Call, index: int, what: str) -> Tensor:
    return to.require_constant(b, call.optional(index), what)


def _value(b: DraftBuilder, call: Call, index: int) -> Value:
    value = call.optional(index)
    if value is None:
        raise b.refuse(f"{call.op} without its input {index}", "export the file again")
    return value


def _pads(b: DraftBuilder, call: Call, x: Ref, kernel: to.Pair, stride: to.Pair) -> to.Padding:
    a = call.attributes
    mode = a.get("auto_pad", b"NOTSET").decode()
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        dilation = a.get("dilations", (1, 1))
        sides: list[int] = []
        for i in (0, 1):
            out = -(-x.shape[2 + i] // stride[i])
            reach = (out - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1
            total = max(0, reach - x.shape[2 + i])
            less, more = total // 2, total - total // 2
            sides += [less, more] if mode == "SAME_UPPER" else [more, less]
        return (sides[0], sides[1], sides[2], sides[3])
    top, left, bottom, right = a.get("pads", (0, 0, 0, 0)) if mode == "NOTSET" else (0, 0, 0, 0)
    return (top, bottom, left, right)


def _pair(values: Sequence[int]) -> to.Pair:
    return (int(values[0]), int(values[-1]))


def _conv(b: DraftBuilder, call: Call) -> Result:
    x, weight = _x(b, call), _constant(b, call, 1, "weights of a convolution")
    bias = call.optional(2)
    stride = _pair(call.attributes.get("strides", (1, 1)))
    if weight.ndim != 4:
        raise b.refuse("a convolution over other than two dimensions", "use 2-D convolutions")
    return to.emit_conv(
        b,
        x,
        weight,
        None if bias is None else to.require_constant(b, bias, "biases"),
        stride=stride,
        padding=_pads(b, call, x, _pair(weight.shape[2:]), stride),
        dilation=_pair(call.attributes.get("dilations", (1, 1))),
        groups=int(call.attributes.get("group", 1)),
    )


def _gemm(b: DraftBuilder, call: Call) -> Result:
    a = call.attributes
    weight = _constant(b, call, 1, "weights of a fully connected layer")
    if a.get("transA", 0) or weight.ndim != 2:
        raise b.refuse("a product of feature maps", "use a variant without attention")
    weight = weight if a.get("transB", 0) else weight.t()
    bias = call.optional(2)
    if bias is not None:
        bias = to.require_constant(b, bias, "biases") * a.get("beta", 1.0)
    return to.emit_linear(b, _x(b, call), weight * a.get("alpha", 1.0), bias)


def _batch_norm(b: DraftBuilder, call: Call) -> Result:
    weight, bias, mean, variance = (_constant(b, call, i, "statistics") for i in (1, 2, 3, 4))
    epsilon = call.attributes.get("epsilon", 1e-5)
    return to.emit_batch_norm(b, _x(b, call), mean, variance, weight, bias, epsilon)


def _sum(sign: float) -> Handler:
    def handler(b: DraftBuilder, call: Call) -> Result:
        return to.emit_sum(b, _value(b, call, 0), _value(b, call, 1), sign)

    return handler


def _clip(b: DraftBuilder, call: Call) -> Result:
    low, high = call.number("min", 1), call.number("max", 2)
    return to.emit_clamp(b, _x(b, call), low, high)


def _hard_sigmoid(b: DraftBuilder, call: Call) -> Result:
    a = call.attributes
    return to.emit_hard_sigmoid(b, _x(b, call), a.get("alpha", 0.2), a.get("beta", 0.5))


def _pool(op: str) -> Handler:
    def handler(b: DraftBuilder, call: Call) -> Result:
        x, a = _x(b, call), call.attributes
        kernel = _pair(a["kernel_shape"])
        stride = _pair(a.get("strides", (1, 1)))
        if any(d != 1 for d in a.get("dilations", ())) or len(a["kernel_shape"]) != 2:
            raise b.refuse("dilated pooling, or over one dimension", "use plain 2-D pooling")
        return to.emit_pool(
            b,
            op,
            x,
            kernel=kernel,
            stride=stride,
            padding=_pads(b, call, x, kernel, stride),
            count_padding=bool(a.get("count_include_pad", 0)),
        )

    return handler


def _reduce_mean(b: DraftBuilder, call: Call) -> Result:
    axes = call.numbers("axes", 1) or []
    return to.emit_mean(b, _x(b, call), axes, keepdim=bool(call.attributes.get("keepdims", 1)))


def _resize(b: DraftBuilder, call: Call) -> Result:
    if call.attributes.get("mode", b"nearest") != b"nearest":
        raise b.refuse("resizing other than to the nearest neighbor", "use nearest upsampling")
    return to.emit_upsample(b, _x(b, call))


def _concat(b: DraftBuilder, call: Call) -> Result:
    parts = [_value(b, call, i) for i in range(len(call.inputs))]
    return to.emit_concat(b, parts, call.attributes["axis"])


def _pad(b: DraftBuilder, call: Call) -> Result:
    widths = call.numbers("pads", 1) or []
    mode = call.attributes.get("mode", b"constant")
    if mode != b"constant" or len(widths) != 8 or any(widths[i] for i in (0, 1, 4, 5)):
        raise b.refuse("padding other than a constant border", "use zero padding over H and W")
    border = (widths[2], widths[6], widths[3], widths[7])
    return to.emit_pad(b, _x(b, call), border, call.number("value", 2) or 0.0)


def _split(b: DraftBuilder, call: Call) -> Result:
    axis = call.attributes.get("axis", 0)
    sizes = [shape[axis] for shape in call.shapes]
    return to.emit_split(b, _x(b, call), sizes, axis)


def _slice(b: DraftBuilder, call: Call) -> Result:
    x = _x(b, call)
    starts, ends = call.numbers("starts", 1) or [], call.numbers("ends", 2) or []
    axes = call.numbers("axes", 3) or list(range(len(starts)))
    steps = call.numbers("steps", 4) or [1] * len(starts)
    for axis, start, stop, step in zip(axes, starts, ends, steps, strict=True):
        x = to.emit_slice(b, x, axis, start, stop, step)
    return x


def _transpose(b: DraftBuilder, call: Call) -> Result:
    x = _x(b, call)
    order = call.attributes.get("perm", range(len(x.shape))[::-1])
    return to.emit_permute(b, x, order)


def _same(b: DraftBuilder, call: Call) -> Result:
    return _x(b, call)


def _reshape(b: DraftBuilder, call: Call) -> Result:
    return to.emit_reshape(b, _x(b, call))


HANDLERS: dict[str, Handler] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _gemm,
    "BatchNormalization": _batch_norm,
    "Add": _sum(1.0),
    "Sub": _sum(-1.0),
    "Mul": lambda b, c: to.emit_product(b, _value(b, c, 0), _value(b, c, 1)),
    "Div": lambda b, c: to.emit_quotient(b, _x(b, c), _value(b, c, 1)),
    "Neg": lambda b, c: to.emit_product(b, _x(b, c), -1.0),
    "Relu": lambda b, c: to.emit_clamp(b, _x(b, c), 0.0, math.inf),
    "Clip": _clip,
    "Sigmoid": lambda b, c: to.emit_sigmoid(b, _x(b, c)),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda b, c: to.emit_hard_swish(b, _x(b, c)),
    "Softmax": lambda b, c: to.emit_softmax(b, _x(b, c), c.attributes.get("axis", -1)),
    "GlobalAveragePool": lambda b, c: b.add("mean", [_x(b, c)]),
    "ReduceMean": _reduce_mean,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    "Resize": _resize,
    "Upsample": _resize,
    "Concat": _concat,
    "Pad": _pad,
    "Split": _split,
    "Slice": _slice,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Identity": _same,
    "Dropout": _same,
}


def as_tensor(value: Any) -> Tensor:
    """A NumPy array of a file as a tensor of its own; half and double precision become single."""
    tensor = torch.from_numpy(value.copy())
    return tensor.float() if tensor.is_floating_point() else tensor
