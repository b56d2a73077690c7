"""Random graphs over the whole op set: shapes, strides, borders, groups and scales nobody would think of.

For holding two programs for the same arithmetic against each other. The same seed gives the same graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import torch

from edgectl.quant.graph.functions import FUNCTIONS
from edgectl.quant.quantized import QuantizedGraph
from edgectl.testing.networks import Net, quantize

_MOST_BYTES = 6000
"""Of one tensor: larger ones show nothing that smaller ones do not."""
_FLOAT_TABLES = ("gelu", "gelu_tanh", "exp")
"""No kernel on microcontrollers."""

Grow = Callable[[Net, str, Random], str]


def random_graph(seed: int, *, micro: bool = True) -> tuple[QuantizedGraph, np.ndarray]:
    """A quantized graph of two to seven ops, and images (2, H, W, C) uint8.

    Args:
        micro: only what TensorFlow Lite Micro has kernels for; else at least one op it lacks.
    """
    rng = Random(seed)  # noqa: S311 - no secret
    size = (rng.randint(3, 13), rng.randint(3, 13))
    net = Net(size, rng.randint(1, 5), seed)
    x = _conv(net, "input", rng) if rng.random() < 0.8 else "input"
    # LiteRT's fully connected rounds once, its TANH is another one, its reference kernels lack ELU
    names = [n for n in GROWTHS if micro or n not in ("linear", "lookup", "lookup again")]
    for _ in range(rng.randint(1, 5)):
        x = _limited(net, x, rng)
        x = GROWTHS[rng.choice(names)](net, x, rng)
    if not micro:
        # what grows without bounds would leave nothing of the range to the rest
        x = net.lookup(net.op("sigmoid", x), rng.choice(_FLOAT_TABLES))
    outputs = [x]
    if rng.random() < 0.2:
        others = [n.name for n in net.nodes if n.op not in ("input", "constant") and n.name != x]
        outputs += rng.sample(others, min(len(others), 1))
    images = net.images(2)
    return quantize(net.graph(*outputs), images, rng.choice((1.0, 1.0, 1.3, 0.6, 0.2))), images


def _limited(net: Net, x: str, rng: Random) -> str:
    """The tensor, or a smaller one computed of it."""
    shape = net.values[x].shape
    if len(shape) != 4:
        return net.op("reshape", x, shape=(1, *_factors(math.prod(shape), rng)))
    if math.prod(shape) > _MOST_BYTES:
        size = (min(7, shape[2]), min(7, shape[3]))
        x = net.op("resize", x, size=size, mode="nearest", aligned=False)
        return net.conv(x, 4, (1, 1), padding=(0, 0, 0, 0))
    return x


def _factors(count: int, rng: Random) -> tuple[int, int, int]:
    """Three numbers with that product."""
    found = []
    for _ in range(2):
        first = rng.choice([n for n in range(1, 13) if count % n == 0])
        found.append(first)
        count //= first
    rest = [*found, count]
    rng.shuffle(rest)
    return rest[0], rest[1], rest[2]


def _border(rng: Random, most: int) -> tuple[int, int, int, int]:
    high, wide = rng.randint(0, most), rng.randint(0, most)
    if rng.random() < 0.6:
        return high, high, wide, wide
    return high, rng.randint(0, most), wide, rng.randint(0, most)


def _window(net: Net, x: str, rng: Random) -> dict[str, Any]:
    """Kernel, stride and border of a window that fits somewhere."""
    height, width = net.values[x].shape[2:]
    kernel = (rng.randint(1, min(5, height)), rng.randint(1, min(5, width)))
    border = _border(rng, min(kernel) - 1) if min(kernel) > 1 else (0, 0, 0, 0)
    return {
        "kernel": kernel,
        "stride": (rng.randint(1, 3), rng.randint(1, 3)),
        "padding": border,
    }


def _scaled(net: Net, rng: Random) -> None:
    """The last node's weights, some channels larger than others."""
    node = net.nodes[-1]
    assert node.weight is not None and node.bias is not None
    spread = torch.rand(len(node.weight), generator=net.generator) * rng.uniform(0.0, 4.0)
    factors = torch.exp2(spread - 2.0)
    node.weight = node.weight * factors.reshape(-1, *[1] * (node.weight.ndim - 1))
    net.recompute(node)


def _conv(net: Net, x: str, rng: Random) -> str:
    channels = net.values[x].shape[1]
    groups = rng.choice([g for g in range(1, channels + 1) if channels % g == 0])
    if rng.random() < 0.5:
        groups = 1
    out = groups * rng.randint(1, max(1, 9 // groups))
    activation = rng.choice((None, None, "relu", "relu6", "unit"))
    window = _window(net, x, rng)
    if max(window["kernel"]) <= 2 and min(net.values[x].shape[2:]) > 5 and rng.random() < 0.3:
        window["dilation"] = (rng.randint(1, 3), rng.randint(1, 3))
    name = net.conv(x, out, groups=groups, activation=activation, **window)
    _scaled(net, rng)
    return name


def _conv_transpose(net: Net, x: str, rng: Random) -> str:
    kernel, stride = ((rng.randint(1, 4), rng.randint(1, 4)) for _ in range(2))
    padding = (0, 0, 0, 0)
    if min(kernel) > 1 and min(net.values[x].shape[2:]) > 2:
        padding = _border(rng, min(kernel) - 1)
    whole = [
        (n - 1) * s + k for n, s, k in zip(net.values[x].shape[2:], stride, kernel, strict=True)
    ]
    if whole[0] <= sum(padding[:2]) or whole[1] <= sum(padding[2:]):
        padding = (0, 0, 0, 0)
    name = net.conv_transpose(x, rng.randint(1, 6), kernel, stride, padding)
    _scaled(net, rng)
    return name


def _partner(net: Net, x: str, rng: Random, *, broadcast: bool) -> str:
    """Another tensor of the same shape, or of one that is repeated to it."""
    kind = rng.choice(("conv", "itself", "mean", "channel", "constant") if broadcast else ("conv",))
    if kind == "itself":
        return x
    if kind == "mean":
        return net.op("mean", x)
    if kind == "constant":
        return net.op("constant", value=torch.randn(net.values[x].shape, generator=net.generator))
    channels = 1 if kind == "channel" else net.values[x].shape[1]
    return net.conv(x, channels, (1, 1), padding=(0, 0, 0, 0))


def _binary(op: str) -> Grow:
    def grow(net: Net, x: str, rng: Random) -> str:
        other = _partner(net, x, rng, broadcast=True)
        pair = (x, other) if rng.random() < 0.5 else (other, x)
        return net.op(op, *pair, activation=rng.choice((None, "relu", "relu6", "unit")))

    return grow


def _concat(net: Net, x: str, rng: Random) -> str:
    parts = [x]
    for _ in range(rng.randint(1, 11) if rng.random() < 0.2 else 1):
        part = net.conv(x, rng.randint(1, 4), (1, 1), padding=(0, 0, 0, 0))
        parts.append(net.op("sigmoid", part) if rng.random() < 0.3 else part)
    rng.shuffle(parts)
    return net.op("concat", *parts)


def _lookup(net: Net, x: str, rng: Random) -> str:
    function = rng.choice([f for f in FUNCTIONS if f not in _FLOAT_TABLES])
    if function == "rsqrt":
        # of what is positive: a sum of squares and a little
        x = net.sum_channels(net.op("mul", x, x), rng.uniform(0.1, 2.0), rng.uniform(0.01, 1.0))
    slope = rng.uniform(-0.5, 1.5) if function == "leaky_relu" else 0.0
    return net.lookup(x, function, slope)


def _prelu(net: Net, x: str, rng: Random) -> str:
    channels = net.values[x].shape[1]
    return net.op("prelu", x, slopes=tuple(rng.uniform(-1, 2) for _ in range(channels)))


def _pool(op: str) -> Grow:
    def grow(net: Net, x: str, rng: Random) -> str:
        window = _window(net, x, rng)
        if op == "avg_pool":
            window["padding"] = (0, 0, 0, 0)
        top, bottom, left, right = window["padding"]
        # every window has to see a pixel
        if max(top, bottom) >= window["kernel"][0] or max(left, right) >= window["kernel"][1]:
            window["padding"] = (0, 0, 0, 0)
        return net.op(op, x, **window)

    return grow


def _resize(net: Net, x: str, rng: Random) -> str:
    size = (rng.randint(1, 15), rng.randint(1, 15))
    mode = rng.choice(("nearest", "bilinear", "bilinear"))
    return net.op(
        "resize", x, size=size, mode=mode, aligned=mode != "nearest" and rng.random() < 0.5
    )


def _pad(net: Net, x: str, rng: Random) -> str:
    value = 0.0 if rng.random() < 0.5 else rng.uniform(-0.5, 0.5)
    return net.op("pad", x, padding=_border(rng, 3), value=value)


def _transpose(net: Net, x: str, rng: Random) -> str:
    order = [1, 2, 3]
    rng.shuffle(order)
    return net.op("transpose", x, order=(0, *order))


def _reshape(net: Net, x: str, rng: Random) -> str:
    return net.op("reshape", x, shape=(1, *_factors(math.prod(net.values[x].shape), rng)))


def _slice(net: Net, x: str, rng: Random) -> str:
    axis = rng.randint(1, 3)
    size = net.values[x].shape[axis]
    start = rng.randint(0, size - 1)
    return net.op(
        "slice",
        x,
        axis=axis,
        start=start,
        stop=rng.randint(start + 1, size),
        step=rng.randint(1, 3),
    )


def _matmul(net: Net, x: str, rng: Random) -> str:
    other = net.conv(x, net.values[x].shape[1], (1, 1), padding=(0, 0, 0, 0))
    order = (0, 1, 3, 2)
    if rng.random() < 0.5:
        return net.op("matmul", net.op("transpose", x, order=order), other)
    return net.op("matmul", x, net.op("transpose", other, order=order))


def _linear(net: Net, x: str, rng: Random) -> str:
    flat = net.op("reshape", x, shape=(1, math.prod(net.values[x].shape)))
    name = net.linear(flat, rng.randint(1, 24), activation=rng.choice((None, "relu")))
    _scaled(net, rng)
    return name


GROWTHS: dict[str, Grow] = {
    "conv": _conv,
    "conv again": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "add": _binary("add"),
    "mul": _binary("mul"),
    "concat": _concat,
    "sigmoid": lambda net, x, rng: net.op("sigmoid", x),
    "softmax": lambda net, x, rng: net.op("softmax", x),
    "lookup": _lookup,
    "lookup again": _lookup,
    "prelu": _prelu,
    "matmul": _matmul,
    "mean": lambda net, x, rng: net.op("mean", x),
    "max_pool": _pool("max_pool"),
    "avg_pool": _pool("avg_pool"),
    "upsample": lambda net, x, rng: net.op("upsample", x, factor=rng.randint(2, 3)),
    "resize": _resize,
    "pad": _pad,
    "transpose": _transpose,
    "reshape": _reshape,
    "slice": _slice,
}
"""What may follow a feature map."""
