"""A model to C: weights as arrays, a buffer a tensor, a call an operation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edgectl_carray.modelfile import Model

_PER_LINE = 16
_TYPES = {"int8": "signed char", "float32": "float"}
_ACTIVATIONS = {None: "NONE", "relu": "RELU", "relu6": "RELU6", "unit": "UNIT"}
Node = dict[str, Any]


def generate(model: Model) -> str:
    """The text of ``model.c``. The same model gives the same text."""
    return _Writer(model).text()


class _Writer:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.index = {n["name"]: i for i, n in enumerate(model.nodes)}
        self.shapes = {n["name"]: n["shape"] for n in model.nodes}
        self.body: list[str] = []

    def text(self) -> str:
        for node in self.model.nodes:
            if node["op"] != "input":
                _EMIT[node["op"]](self, node)
                if node["activation"] and node["op"] not in ("conv", "linear"):
                    self.call(
                        "activate", self.tensor(node["name"]), self.size(node["name"]), act(node)
                    )
        offset = 0
        for name in self.model.outputs:
            count = self.size(name)
            self.call("memcpy", f"heads + {offset}", self.tensor(name), f"{count} * sizeof(float)")
            offset += count
        room = max((self.size(n["inputs"][0]) for n in self.model.nodes if "step" in n), default=1)
        buffers = [
            f"static float t{i}[{self.size(n['name'])}];"
            for i, n in enumerate(self.model.nodes)
            if n["op"] != "input"
        ]
        arrays = [self.array(name, values) for name, values in self.model.arrays.items()]
        return "\n".join(
            [
                '#include "kernels.h"',
                "",
                *arrays,
                *buffers,
                f"static signed char room[{room}];",
                "",
                f"/* images: {self.shapes[self.model.nodes[0]['name']]}, pixel / 255;"
                f" heads: {offset} values, {', '.join(self.model.outputs)} in order */",
                "void edgectl_run(const float *images, float *heads) {",
                "  (void)room;",
                *self.body,
                "}",
                "",
            ]
        )

    def array(self, name: str, values: np.ndarray) -> str:
        flat = values.reshape(-1)
        kind = _TYPES[values.dtype.name]
        words = [str(v) for v in flat] if kind != "float" else [_number(float(v)) for v in flat]
        lines = [", ".join(words[i : i + _PER_LINE]) for i in range(0, len(words), _PER_LINE)]
        return (
            f"static const {kind} {self.symbol(name)}[{flat.size}] = {{\n"
            + ",\n".join(lines)
            + "};"
        )

    def symbol(self, array: str) -> str:
        name, _, part = array.rpartition(".")
        return f"{part}{self.index[name]}"

    def tensor(self, name: str) -> str:
        index = self.index[name]
        return "images" if self.model.nodes[index]["op"] == "input" else f"t{index}"

    def size(self, name: str) -> int:
        return math.prod(self.shapes[name])

    def call(self, function: str, *words: object) -> None:
        self.body.append(f"  {function}({', '.join(map(str, words))});")

    def geometry(self, node: Node, kernel: list[int], **given: Any) -> str:
        """Declares the Conv of a node; returns a pointer to it."""
        _, c, h, w = _nchw(self.shapes[node["inputs"][0]])
        _, oc, oh, ow = _nchw(node["shape"])
        stride, padding = given.get("stride", [1, 1]), given.get("padding", [0, 0, 0, 0])
        dilation, groups = given.get("dilation", [1, 1]), given.get("groups", 1)
        values = [c, h, w, oc, oh, ow, *kernel, *stride, padding[0], padding[2], *dilation, groups]
        name = f"p{self.index[node['name']]}"
        numbers = ", ".join(map(str, values))
        self.body.append(f"  static const Conv {name} = {{{numbers}, {act(node)}}};")
        return f"&{name}"


def _conv(w: _Writer, node: Node) -> None:
    i, a = w.index[node["name"]], node["attrs"]
    x, y = w.tensor(node["inputs"][0]), w.tensor(node["name"])
    weight = w.model.arrays[f"{node['name']}.weight"]
    p = w.geometry(node, [int(n) for n in weight.shape[2:]] or [1, 1], **a)
    if "step" in node:
        words = ["room", f"weight{i}", f"bias{i}", f"scale{i}", _number(node["step"])]
        w.call("conv_int8", p, x, *words, y)
    else:
        w.call("conv_f32", p, x, f"weight{i}", f"bias{i}", y)


def _binary(product: int) -> Callable[[_Writer, Node], None]:
    def emit(w: _Writer, node: Node) -> None:
        a, b = node["inputs"]
        channels = node["shape"][1]
        words = [w.tensor(a), w.size(a), w.tensor(b), w.size(b), channels, product]
        w.call("binary", *words, w.tensor(node["name"]))

    return emit


def _concat(w: _Writer, node: Node) -> None:
    offset = 0
    for name in node["inputs"]:
        words = (f"{w.tensor(node['name'])} + {offset}", w.tensor(name))
        w.call("memcpy", *words, f"{w.size(name)} * sizeof(float)")
        offset += w.size(name)


def _sigmoid(w: _Writer, node: Node) -> None:
    (x,) = node["inputs"]
    w.call("sigmoid", w.tensor(x), w.size(x), w.tensor(node["name"]))


def _mean(w: _Writer, node: Node) -> None:
    (x,) = node["inputs"]
    _, c, height, width = _nchw(w.shapes[x])
    w.call("mean", w.tensor(x), c, height * width, w.tensor(node["name"]))


def _pool(average: int) -> Callable[[_Writer, Node], None]:
    def emit(w: _Writer, node: Node) -> None:
        a = node["attrs"]
        p = w.geometry(node, a["kernel"], stride=a["stride"], padding=a["padding"])
        w.call("pool", p, w.tensor(node["inputs"][0]), average, w.tensor(node["name"]))

    return emit


def _upsample(w: _Writer, node: Node) -> None:
    (x,) = node["inputs"]
    _, c, height, width = _nchw(w.shapes[x])
    words = (c, height, width, node["attrs"]["factor"])
    w.call("upsample", w.tensor(x), *words, w.tensor(node["name"]))


def _pad(w: _Writer, node: Node) -> None:
    p = w.geometry(node, [1, 1], padding=node["attrs"]["padding"])
    value = _number(node["attrs"]["value"])
    w.call("pad", p, w.tensor(node["inputs"][0]), value, w.tensor(node["name"]))


def _reshape(w: _Writer, node: Node) -> None:
    (x,) = node["inputs"]
    w.call("memcpy", w.tensor(node["name"]), w.tensor(x), f"{w.size(x)} * sizeof(float)")


_EMIT: dict[str, Callable[[_Writer, Node], None]] = {
    "conv": _conv,
    "linear": _conv,
    "add": _binary(0),
    "mul": _binary(1),
    "concat": _concat,
    "sigmoid": _sigmoid,
    "mean": _mean,
    "max_pool": _pool(0),
    "avg_pool": _pool(1),
    "upsample": _upsample,
    "pad": _pad,
    "reshape": _reshape,
}
SUPPORTED = frozenset(_EMIT) | {"input"}
"""Ops there is C for."""


def act(node: Node) -> str:
    """Name of the fused clamp in C."""
    return _ACTIVATIONS[node["activation"]]


def _nchw(shape: list[int]) -> tuple[int, int, int, int]:
    n, c, h, w = (*shape, 1, 1)[:4]
    return n, c, h, w


def _number(value: float) -> str:
    """float32 with the digits that tell it from its neighbors."""
    text = repr(float(np.float32(value)))
    return f"{text}f"
