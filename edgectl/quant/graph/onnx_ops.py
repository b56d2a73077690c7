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

from edgectl.quant.graph import axes, tokens
from edgectl.quant.graph import semantics as to
from edgectl.quant.graph.draft import DraftBuilder, Ref, Value
from edgectl.quant.graph.values import require_constant, require_ref


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
    opset: int = 13

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
    return require_ref(b, call.optional(0))


def _constant(b: DraftBuilder, call: Call, index: int, what: str) -> Tensor:
    return require_constant(b, call.optional(index), what)


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
        None if bias is None else require_constant(b, bias, "biases"),
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
        bias = require_constant(b, bias, "biases") * a.get("beta", 1.0)
    return tokens.emit_linear(b, _x(b, call), weight * a.get("alpha", 1.0), bias)


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


def _reduce(emit: Callable[..., Ref]) -> Handler:
    def handler(b: DraftBuilder, call: Call) -> Result:
        over = call.numbers("axes", 1) or []
        return emit(b, _x(b, call), over, keepdim=bool(call.attributes.get("keepdims", 1)))

    return handler


def _resize(b: DraftBuilder, call: Call) -> Result:
    a, x = call.attributes, _x(b, call)
    mode = a.get("mode", b"nearest").decode()
    default = "half_pixel" if call.op == "Resize" else "asymmetric"
    where = a.get("coordinate_transformation_mode", default.encode()).decode()
    if len(x.shape) != 4 or x.shape[:2] != tuple(b.shape[:2]):
        raise b.refuse("resizing other than over two dimensions", "resize feature maps")
    whole = all(o % s == 0 for o, s in zip(b.shape[2:], x.shape[2:], strict=True))
    rounding = a.get("nearest_mode", b"round_prefer_floor").decode()
    if mode == "linear" and where in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return to.emit_bilinear(b, x, aligned=where == "align_corners")
    if mode == "nearest" and (
        (where == "asymmetric" and (rounding == "floor" or call.op == "Upsample"))
        or (where in ("half_pixel", "pytorch_half_pixel") and whole)
    ):
        return to.emit_upsample(b, x)
    raise b.refuse(f"resizing by {mode}, {where}", "use nearest or bilinear upsampling")


def _matmul(b: DraftBuilder, call: Call) -> Result:
    x, y = (_value(b, call, i) for i in (0, 1))
    if isinstance(x, Ref) and isinstance(y, Ref):
        return tokens.emit_matmul(b, x, y)
    weight = require_constant(b, y, "weights of a fully connected layer")
    if weight.ndim != 2:
        raise b.refuse("a product with a batch of matrices", "use a fully connected layer")
    return tokens.emit_linear(b, require_ref(b, x), weight.t(), None)


def _softmax(b: DraftBuilder, call: Call) -> Result:
    x = _x(b, call)
    axis = call.attributes.get("axis", -1 if call.opset >= 13 else 1)
    # before opset 13 all axes from that one on are one
    if call.opset < 13 and any(s != 1 for s in x.shape[x.axis(axis) + 1 :]):
        raise b.refuse("softmax over several axes at once", "export with opset 13 or later")
    return tokens.emit_softmax(b, x, axis)


def _conv_transpose(b: DraftBuilder, call: Call) -> Result:
    x, weight = _x(b, call), _constant(b, call, 1, "weights of a convolution")
    a, bias = call.attributes, call.optional(2)
    if "output_shape" in a or a.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise b.refuse("a transposed convolution by output_shape", "export it with explicit pads")
    top, left, _, _ = a.get("pads", (0, 0, 0, 0))
    return to.emit_conv_transpose(
        b,
        x,
        weight,
        None if bias is None else require_constant(b, bias, "biases"),
        stride=_pair(a.get("strides", (1, 1))),
        padding=(top, top, left, left),
        dilation=_pair(a.get("dilations", (1, 1))),
        groups=int(a.get("group", 1)),
    )


def _layer_norm(b: DraftBuilder, call: Call) -> Result:
    x, a = _x(b, call), call.attributes
    if x.axis(a.get("axis", -1)) != len(x.shape) - 1:
        raise b.refuse("a layer norm over several axes", "normalize over the last axis")
    weight = _constant(b, call, 1, "scales")
    bias = None if call.optional(2) is None else _constant(b, call, 2, "shifts")
    return tokens.emit_layer_norm(b, x, len(x.shape) - 1, weight, bias, a.get("epsilon", 1e-5))


def _power(b: DraftBuilder, call: Call) -> Result:
    x = _x(b, call)
    if call.number("", 1) == 2.0:
        return to.emit_product(b, x, x)
    raise b.refuse("a power", "leave it to the postprocess")


def _gather(b: DraftBuilder, call: Call) -> Result:
    index = _constant(b, call, 1, "indices")
    if index.ndim != 0 and index.numel() != 1:
        raise b.refuse("elements picked by a list", "use slices")
    x, axis = _x(b, call), call.attributes.get("axis", 0)
    return axes.emit_index(b, x, axis, int(index))


def _gelu(b: DraftBuilder, call: Call) -> Result:
    tanh = call.attributes.get("approximate", b"none") == b"tanh"
    return to.emit_lookup(b, _x(b, call), "gelu_tanh" if tanh else "gelu")


def _function(name: str, default: float = 0.0) -> Handler:
    def handler(b: DraftBuilder, call: Call) -> Result:
        slope = float(call.attributes.get("alpha", default)) if default else 0.0
        if name == "elu" and slope != 1.0:
            raise b.refuse("an ELU with another factor than one", "use alpha=1")
        return to.emit_lookup(b, _x(b, call), name, 0.0 if name == "elu" else slope)

    return handler


def _prelu(b: DraftBuilder, call: Call) -> Result:
    return to.emit_prelu(b, _x(b, call), _constant(b, call, 1, "slopes"))


def _global_maximum(b: DraftBuilder, call: Call) -> Result:
    return tokens.emit_maximum(b, _x(b, call), (2, 3), keepdim=True)


def _concat(b: DraftBuilder, call: Call) -> Result:
    parts = [_value(b, call, i) for i in range(len(call.inputs))]
    return axes.emit_concat(b, parts, call.attributes["axis"])


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
    return axes.emit_split(b, _x(b, call), sizes, axis)


def _slice(b: DraftBuilder, call: Call) -> Result:
    x = _x(b, call)
    starts, ends = call.numbers("starts", 1) or [], call.numbers("ends", 2) or []
    along = call.numbers("axes", 3) or list(range(len(starts)))
    steps = call.numbers("steps", 4) or [1] * len(starts)
    for axis, start, stop, step in zip(along, starts, ends, steps, strict=True):
        x = axes.emit_slice(b, x, axis, start, stop, step)
    return x


def _transpose(b: DraftBuilder, call: Call) -> Result:
    x = _x(b, call)
    order = call.attributes.get("perm", range(len(x.shape))[::-1])
    return axes.emit_permute(b, x, order)


def _same(b: DraftBuilder, call: Call) -> Result:
    return _x(b, call)


def _reshape(b: DraftBuilder, call: Call) -> Result:
    return axes.emit_reshape(b, _x(b, call))


HANDLERS: dict[str, Handler] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
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
    "Softmax": _softmax,
    "Tanh": _function("tanh"),
    "Exp": _function("exp"),
    "Elu": _function("elu", 1.0),
    "LeakyRelu": _function("leaky_relu", 0.01),
    "PRelu": _prelu,
    "Gelu": _gelu,
    "Erf": lambda b, c: b.add("erf", [_x(b, c)]),
    "Sqrt": lambda b, c: tokens.emit_root(b, _x(b, c)),
    "Pow": _power,
    "ConvTranspose": _conv_transpose,
    "LayerNormalization": _layer_norm,
    "GlobalMaxPool": _global_maximum,
    "Gather": _gather,
    "GlobalAveragePool": lambda b, c: b.add("mean", [_x(b, c)]),
    "ReduceMean": _reduce(tokens.emit_mean),
    "ReduceSum": _reduce(tokens.emit_sum_over),
    "ReduceMax": _reduce(tokens.emit_maximum),
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
