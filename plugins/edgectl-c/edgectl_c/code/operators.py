"""One op of a program as the fields of its C struct and the tables it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgectl.errors import UnsupportedOpError
from edgectl.quant.integer.fixedpoint import activation_bounds, quantize_multiplier
from edgectl.quant.integer.gemmlowp import exponentials
from edgectl.quant.integer.program import Operation, Program, TensorRecord
from edgectl.quant.integer.tables import TABLES
from edgectl.quant.ranges.scheme import QParams
from edgectl_c.plan.reading import bilinear, border_before, nearest, pad_widths, slice_of, window

_QUICK = 1 << 30
"""Sums below this may be doubled before the multiplier is applied."""
_LARGEST = (1 << 31) - 1


@dataclass
class Code:
    """Attributes:
    kernel: name of the C function.
    fields: numbers of the struct.
    tables: field -> (C type, values).
    border: (zero point, bytes) of the pixels outside.
    taps: pixels of a window.
    """

    kernel: str
    fields: dict[str, int] = field(default_factory=dict)
    tables: dict[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    border: tuple[int, int] | None = None
    taps: int = 0


class Use:
    """One op among its tensors."""

    def __init__(self, program: Program, op: Operation) -> None:
        self.program, self.op = program, op

    def tensor(self, i: int) -> TensorRecord:
        """The i-th input."""
        return self.program.tensors[self.op.inputs[i]]

    @property
    def output(self) -> TensorRecord:
        """What it writes."""
        return self.program.tensors[self.op.outputs[0]]

    def data(self, i: int) -> np.ndarray:
        """Contents of a constant input."""
        found = self.tensor(i).data
        if found is None:
            raise self.refuse(f"'{self.tensor(i).name}' is not constant")
        return found

    def bounds(self) -> dict[str, int]:
        """The clamp, and the output's zero point."""
        name = self.op.options.get("fusedActivationFunction") or "NONE"
        scale, zero = self.output.scales[0], self.output.zero_points[0]
        low, high = activation_bounds(name, scale, zero)
        return {"zout": zero, "low": low, "high": high}

    def refuse(self, problem: str) -> UnsupportedOpError:
        """An op, or a use of one, there is no C for."""
        return UnsupportedOpError(
            f"C library: {self.op.name}: {problem}",
            where=self.program.where,
            fix="leave this op to the program around the model",
        )


def rescaling(factors: list[float]) -> dict[str, tuple[str, np.ndarray]]:
    """Multipliers and shifts."""
    pairs = np.array([quantize_multiplier(f) for f in factors]).reshape(-1, 2)
    return {"multipliers": ("int32_t", pairs[:, 0]), "shifts": ("int8_t", pairs[:, 1])}


def _weighted(u: Use, kernel: str, weights: np.ndarray, taps: np.ndarray) -> Code:
    """``weights``: as stored; ``taps``: (out, terms), the same numbers by output channel."""
    source, out = u.tensor(0), u.output
    zero = source.zero_points[0]
    count = len(taps)
    given = len(u.op.inputs) > 2 and u.op.inputs[2] >= 0
    bias = u.data(2).astype(np.int64).reshape(-1) if given else np.zeros(count, np.int64)
    wide = taps.astype(np.int64)
    bias = bias - zero * wide.sum(axis=1)
    largest = int((np.abs(bias) + 128 * np.abs(wide).sum(axis=1)).max())
    if largest > _LARGEST:
        raise u.refuse(f"sums of '{out.name}' may leave 32 bits")
    scales = np.broadcast_to(np.array(u.tensor(1).scales), (count,))
    tables = rescaling([source.scales[0] * float(s) / out.scales[0] for s in scales])
    quick = largest < _QUICK and int(tables["shifts"][1].max()) < 0
    return Code(
        f"{kernel}_quick" if quick else kernel,
        u.bounds(),
        {"weights": ("int8_t", weights), "bias": ("int32_t", bias), **tables},
    )


def _geometry(u: Use) -> dict[str, int]:
    (kh, sh, dh), (kw, sw, dw) = (window(u.program, u.op, axis) for axis in (0, 1))
    top, left = (border_before(u.program, u.op, axis) for axis in (0, 1))
    return {"kh": kh, "kw": kw, "sh": sh, "sw": sw, "dh": dh, "dw": dw, "top": top, "left": left}


def _conv(u: Use) -> Code:
    weights = u.data(1)
    out, _, kw, channels = weights.shape
    code = _weighted(u, "conv", weights, weights.reshape(out, -1))
    groups = u.tensor(0).shape[3] // channels
    if groups > 1:
        code.kernel = "conv_grouped"
        code.fields["count"] = groups
    return _windowed(u, code, kw * channels * groups)


def _depthwise(u: Use) -> Code:
    weights = u.data(1)
    code = _weighted(u, "depthwise", weights, weights.reshape(-1, weights.shape[3]).T)
    return _windowed(u, code, u.tensor(0).shape[3])


def _windowed(u: Use, code: Code, border: int) -> Code:
    code.fields |= _geometry(u)
    code.border = u.tensor(0).zero_points[0], border
    code.taps = code.fields["kh"] * code.fields["kw"]
    return code


def _fully_connected(u: Use) -> Code:
    code = _weighted(u, "conv", u.data(1), u.data(1))
    code.fields |= {"kh": 1, "kw": 1, "sh": 1, "sw": 1, "dh": 1, "dw": 1, "top": 0, "left": 0}
    code.taps = 1
    return code


def _require_repeatable(u: Use) -> None:
    a, b = u.tensor(0), u.tensor(1)
    if a.shape != b.shape and max(len(a.shape), len(b.shape)) > 4:
        raise u.refuse("a tensor of more than four axes, repeated")


def _add(u: Use) -> Code:
    _require_repeatable(u)
    a, b = u.tensor(0), u.tensor(1)
    twice = 2.0 * max(a.scales[0], b.scales[0])
    factors = [a.scales[0] / twice, b.scales[0] / twice, twice / ((1 << 20) * u.output.scales[0])]
    zeros = {"za": a.zero_points[0], "zb": b.zero_points[0]}
    return Code("add", {**u.bounds(), **zeros}, rescaling(factors))


def _mul(u: Use) -> Code:
    _require_repeatable(u)
    a, b = u.tensor(0), u.tensor(1)
    zeros = {"za": a.zero_points[0], "zb": b.zero_points[0]}
    factor = a.scales[0] * b.scales[0] / u.output.scales[0]
    return Code("mul", {**u.bounds(), **zeros}, rescaling([factor]))


def _concat(u: Use) -> Code:
    rank = len(u.output.shape)
    axis = u.op.options["axis"] % rank
    # rows, pixels, channels of a view of lower rank are its last dimensions
    along = axis - rank + 3
    if axis == 0 or along < 0:
        raise u.refuse("concatenation of images")
    return Code("concat", {"kh": along, "count": len(u.op.inputs)})


def _lookup(u: Use) -> Code:
    source, target = (QParams(t.scales[0], t.zero_points[0]) for t in (u.tensor(0), u.output))
    if u.tensor(0).dtype != "int8" or u.output.dtype != "int8":
        raise u.refuse("other than int8 to int8")
    try:
        table = TABLES[u.op.name](source, target, u.op.options)
    except ValueError as e:
        raise u.refuse(str(e)) from e
    return Code("lookup", {}, {"weights": ("int8_t", table)})


def _transpose_conv(u: Use) -> Code:
    weights, source, out = u.data(1), u.tensor(2), u.output
    given = len(u.op.inputs) > 3 and u.op.inputs[3] >= 0
    count = weights.shape[0]
    bias = u.data(3).astype(np.int64).reshape(-1) if given else np.zeros(count, np.int64)
    wide = np.abs(weights.astype(np.int64)).reshape(count, -1).sum(axis=1)
    if int((np.abs(bias) + 255 * wide).max()) > _LARGEST:
        raise u.refuse(f"sums of '{out.name}' may leave 32 bits")
    scales = np.broadcast_to(np.array(u.tensor(1).scales), (count,))
    tables = rescaling([source.scales[0] * float(s) / out.scales[0] for s in scales])
    fields = {**u.bounds(), **_geometry(u), "za": source.zero_points[0]}
    return Code(
        "transpose_conv",
        fields,
        {"weights": ("int8_t", weights), "bias": ("int32_t", bias), **tables},
    )


def _prelu(u: Use) -> Code:
    source, slopes, out = u.tensor(0), u.tensor(1), u.output
    factors = [source.scales[0] / out.scales[0]]
    factors.append(source.scales[0] * slopes.scales[0] / out.scales[0])
    zeros = {"za": source.zero_points[0], "zb": slopes.zero_points[0]}
    return Code("prelu", {**u.bounds(), **zeros}, rescaling(factors))


def _matmul(u: Use) -> Code:
    a, b = u.tensor(0), u.tensor(1)
    flags = {"kh": int(bool(u.op.options.get("adjX"))), "kw": int(bool(u.op.options.get("adjY")))}
    terms = a.shape[-2] if flags["kh"] else a.shape[-1]
    if a.data is not None or b.data is not None or a.shape[:-2] != b.shape[:-2]:
        raise u.refuse("other than two batches of matrices of one size")
    if terms * 255 * 255 > _LARGEST:
        raise u.refuse(f"sums of '{u.output.name}' may leave 32 bits")
    zeros = {"za": a.zero_points[0], "zb": b.zero_points[0]}
    factor = a.scales[0] * b.scales[0] / u.output.scales[0]
    return Code("matmul", {**u.bounds(), **zeros, **flags}, rescaling([factor]))


def _softmax(u: Use) -> Code:
    values, counted = exponentials(u.tensor(0).scales[0], u.op.options["beta"])
    table = values[:counted]
    return Code("softmax", {"count": counted}, {"table": ("int32_t", table)})


def _mean(u: Use) -> Code:
    source = u.tensor(0)
    axes = sorted(int(a) % len(source.shape) for a in u.data(1).reshape(-1))
    if axes != [1, 2] or len(source.shape) != 4:
        raise u.refuse("mean over other than height and width")
    count = source.shape[1] * source.shape[2]
    multiplier, shift = quantize_multiplier(source.scales[0] / u.output.scales[0])
    # as the kernel forms it: the multiplier takes up the division
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    tables = {
        "multipliers": ("int32_t", np.array([(multiplier << bits) // count])),
        "shifts": ("int8_t", np.array([shift - bits])),
    }
    fields = {
        "za": source.zero_points[0],
        "zout": u.output.zero_points[0],
        "low": -128,
        "high": 127,
    }
    return Code("mean", fields, tables)


def _pool(kernel: str) -> Callable[[Use], Code]:
    def make(u: Use) -> Code:
        return Code(kernel, {**u.bounds(), **_geometry(u)})

    return make


def _resize(u: Use) -> Code:
    if u.op.options.get("alignCorners") or u.op.options.get("halfPixelCenters"):
        raise u.refuse("alignCorners or halfPixelCenters")
    (_, h, w, _), (_, rows, columns, _) = u.tensor(0).shape, u.output.shape
    return Code(
        "resize", {}, {"map": ("int16_t", np.array(nearest(h, rows) + nearest(w, columns)))}
    )


def _resize_bilinear(u: Use) -> Code:
    rows, pixels = (bilinear(u.program, u.op, axis) for axis in (0, 1))
    places = np.array([*rows[0], *rows[1], *pixels[0], *pixels[1]])
    weights = np.array([*rows[2], *pixels[2]])
    return Code("resize_bilinear", {}, {"map": ("int16_t", places), "table": ("int32_t", weights)})


def _slice(u: Use) -> Code:
    begin, step = slice_of(u.program, u.op)
    options = u.op.options
    if options.get("newAxisMask") or options.get("ellipsisMask") or min(step) < 1 or begin[0]:
        raise u.refuse("new axes, reversed axes or a part of the batch")
    shape = u.tensor(0).shape
    if len(shape) != len(u.output.shape):
        raise u.refuse("axes that are left out")
    if len(shape) > 4:
        strides = np.cumprod([1, *shape[:0:-1]])[::-1][1:]
        base = int(sum(b * s for b, s in zip(begin[1:], strides, strict=True)))
        steps = [int(n * s) for n, s in zip(step[1:], strides, strict=True)]
        return _pick(u, base, steps, list(u.output.shape[1:]))
    begin, step = ([0] * (4 - len(v)) + v[1:] for v in (begin, step))
    begin, step = begin[-3:], [max(n, 1) for n in step[-3:]]
    names = (("top", "sh"), ("left", "sw"), ("kh", "kw"))
    fields: dict[str, int] = {}
    for (first, each), b, n in zip(names, begin, step, strict=True):
        fields |= {first: b, each: n}
    return Code("slice", fields)


def _pick(u: Use, base: int, steps: list[int], sizes: list[int]) -> Code:
    """Elements ``steps`` bytes apart along the output's axes but the batch, four at most."""
    if len(steps) > 4 or len(steps) != len(sizes):
        raise u.refuse("more than four axes")
    steps = [0] * (4 - len(steps)) + steps
    sizes = [1] * (4 - len(sizes)) + sizes
    table = np.array([base, max(sizes[1], 1), *steps])
    return Code("pick", {}, {"table": ("int32_t", table)})


def _mirror_pad(u: Use) -> Code:
    rows, pixels, channels = pad_widths(u.program, u.op)
    if any(channels):
        raise u.refuse("padding of channels")
    mode = "symmetric" if u.op.options["mode"] else "reflect"
    _, height, width, _ = u.tensor(0).shape
    places = [
        np.pad(np.arange(size), w, mode="symmetric" if mode == "symmetric" else "reflect")
        for size, w in ((height, rows), (width, pixels))
    ]
    return Code("resize", {}, {"map": ("int16_t", np.concatenate(places))})


def _pad(u: Use) -> Code:
    (top, _), (left, _), channels = pad_widths(u.program, u.op)
    if any(channels):
        raise u.refuse("padding of channels")
    value = u.output.zero_points[0]
    if u.op.name == "PADV2":
        value = int(u.data(2).reshape(()))
    return Code("pad", {"top": top, "left": left, "zout": value})


def _transpose(u: Use) -> Code:
    order, shape = u.data(1).tolist(), u.tensor(0).shape
    if order[0] != 0:
        raise u.refuse("transpose of the batch")
    strides = np.cumprod([1, *shape[:0:-1]])[::-1][1:]
    steps = [int(strides[i - 1]) for i in order[1:]]
    if len(shape) > 4:
        return _pick(u, 0, steps, list(u.output.shape[1:]))
    return Code("transpose", {}, {"table": ("int32_t", np.array([0] * (3 - len(steps)) + steps))})


OPERATORS: dict[str, Callable[[Use], Code]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _add,
    "MUL": _mul,
    "CONCATENATION": _concat,
    **dict.fromkeys(TABLES, _lookup),
    "SOFTMAX": _softmax,
    "MEAN": _mean,
    "MAX_POOL_2D": _pool("max_pool"),
    "AVERAGE_POOL_2D": _pool("average_pool"),
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "PAD": _pad,
    "PADV2": _pad,
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": _transpose_conv,
    "PRELU": _prelu,
    "BATCH_MATMUL": _matmul,
    "RESIZE_BILINEAR": _resize_bilinear,
    "STRIDED_SLICE": _slice,
    "SLICE": _slice,
    "MIRROR_PAD": _mirror_pad,
}
"""Ops of the integer executor; RESHAPE is no work, splits and repetitions are taken apart before
(:mod:`edgectl.quant.integer.rewrites`)."""


def code_of(program: Program, op: Operation) -> Code:
    """Raises UnsupportedOpError for an op, or a use of one, there is no C for."""
    use = Use(program, op)
    if op.name not in OPERATORS:
        raise use.refuse("no kernel")
    return OPERATORS[op.name](use)
