"""Small random networks, quantized by their own extremes, and one for every form an op is written in.

For tests that hold two programs for the same arithmetic against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute
from edgectl.quant.integer.scheme import SCHEME
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.ranges import qparams, range_groups
from edgectl.quant.rewrite.separate_ranges import separate_ranges
from edgectl.quant.weights import weight_scales


class Net:
    """Builds a graph op by op; every method returns the name of the tensor it made."""

    def __init__(self, size: tuple[int, int] = (9, 11), channels: int = 3, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.values = {"input": torch.zeros(1, channels, *size)}
        self.nodes = [Node("input", "input", (), (1, channels, *size))]

    def op(self, op: str, *inputs: str, activation: Any = None, **attrs: Any) -> str:
        return self._add(Node(f"{op}{len(self.nodes)}", op, inputs, (), attrs, activation))

    def conv(
        self,
        x: str,
        out: int,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int, int, int] = (1, 1, 1, 1),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        activation: Any = None,
    ) -> str:
        fan_in = self.values[x].shape[1] // groups * kernel[0] * kernel[1]
        weight = torch.randn(
            out, self.values[x].shape[1] // groups, *kernel, generator=self.generator
        )
        attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return self._add(
            Node(
                f"conv{len(self.nodes)}",
                "conv",
                (x,),
                (),
                attrs,
                activation,
                weight=weight * (3.0 / fan_in) ** 0.5,
                bias=torch.randn(out, generator=self.generator) * 0.3,
            )
        )

    def depthwise(self, x: str, multiplier: int = 1, **kw: Any) -> str:
        channels = self.values[x].shape[1]
        return self.conv(x, channels * multiplier, groups=channels, **kw)

    def conv_transpose(
        self,
        x: str,
        out: int,
        kernel: tuple[int, int] = (2, 2),
        stride: tuple[int, int] = (2, 2),
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> str:
        channels = self.values[x].shape[1]
        weight = torch.randn(out, channels, *kernel, generator=self.generator) / channels**0.5
        bias = torch.randn(out, generator=self.generator) * 0.3
        attrs = {"stride": stride, "padding": padding}
        name = f"conv_transpose{len(self.nodes)}"
        return self._add(Node(name, "conv_transpose", (x,), (), attrs, None, "", weight, bias))

    def sum_channels(self, x: str, factor: float, bias: float) -> str:
        weight = torch.full((1, self.values[x].shape[1], 1, 1), factor)
        attrs = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": 1}
        name = f"sum{len(self.nodes)}"
        return self._add(
            Node(name, "conv", (x,), (), attrs, None, "", weight, torch.full((1,), bias))
        )

    def lookup(self, x: str, function: str, slope: float = 0.0) -> str:
        return self.op("lookup", x, function=function, slope=slope)

    def linear(self, x: str, out: int, activation: Any = None) -> str:
        features = self.values[x].shape[1]
        weight = torch.randn(out, features, generator=self.generator) / features**0.5
        bias = torch.randn(out, generator=self.generator) * 0.3
        node = Node(
            f"linear{len(self.nodes)}", "linear", (x,), (), {}, activation, "", weight, bias
        )
        return self._add(node)

    def recompute(self, node: Node) -> None:
        """Its value again, after its weights were changed."""
        inputs = [self.values[i] for i in node.inputs]
        self.values[node.name] = execute(node, inputs, node.weight, node.bias)

    def _add(self, node: Node) -> str:
        self.recompute(node)
        node.shape = tuple(self.values[node.name].shape)
        self.nodes.append(node)
        return node.name

    def graph(self, *outputs: str) -> QuantGraph:
        return QuantGraph(self.nodes, outputs or [self.nodes[-1].name])

    def images(self, count: int = 3) -> np.ndarray:
        """uint8 (N, H, W, C), every byte value likely."""
        _, c, h, w = self.nodes[0].shape
        shape = (count, h, w, c)
        return torch.randint(0, 256, shape, generator=self.generator, dtype=torch.uint8).numpy()


def fomo(size: int) -> QuantGraph:
    """The layers of FOMO, MobileNetV2 0.35 at stride 8, with a sigmoid on its three channels."""
    net = Net((size, size))
    half: dict[str, Any] = {"stride": (2, 2), "padding": (0, 1, 0, 1), "activation": "relu6"}
    point: dict[str, Any] = {"kernel": (1, 1), "padding": (0, 0, 0, 0)}
    x = net.conv("input", 16, **half)
    x = net.conv(net.depthwise(x, activation="relu6"), 8, **point)
    for out, stride in ((8, 2), (8, 1), (16, 2), (16, 1), (16, 1)):
        y = net.conv(x, 6 * net.values[x].shape[1], activation="relu6", **point)
        y = net.depthwise(y, **half) if stride == 2 else net.depthwise(y, activation="relu6")
        y = net.conv(y, out, **point)
        x = net.op("add", x, y) if stride == 1 else y
    x = net.conv(net.conv(x, 48, activation="relu", **point), 3, **point)
    return net.graph(net.op("sigmoid", x))


def images_for(graph: QuantGraph, count: int) -> np.ndarray:
    """Random uint8 images of the graph's input size."""
    _, c, h, w = graph.input.shape
    return np.random.default_rng(0).integers(0, 256, (count, h, w, c), dtype=np.uint8)


def lowered(images: np.ndarray) -> torch.Tensor:
    """What a graph that takes pixel / 255 is fed."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0


def quantize(graph: QuantGraph, images: np.ndarray, shrink: float = 1.0) -> QuantizedGraph:
    """Ranges from the extremes; ``shrink`` below one makes the kernels saturate."""
    graph = separate_ranges(graph, SCHEME)
    taps: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        graph.run(lowered(images), taps)
    activations = {}
    for group in range_groups(graph, SCHEME):
        values = torch.cat([taps[p].flatten() for p in group.producers]) * shrink
        q = group.fixed or qparams(float(values.min()), float(values.max()), SCHEME)
        activations.update(dict.fromkeys(group.members, q))
    scales = weight_scales(graph, activations, SCHEME)
    return QuantizedGraph(graph, SCHEME, activations, scales)


def _pool(op: str, net: Net, padding: tuple[int, ...], kernel: int = 3, stride: int = 2) -> str:
    x = net.conv("input", 5)
    return net.op(op, x, kernel=(kernel, kernel), stride=(stride, stride), padding=padding)


def _se_block(net: Net) -> str:
    """Squeeze and excite: MEAN, a gate in [0, 1] and a product broadcast over positions."""
    x = net.conv("input", 8, activation="relu6")
    gate = net.conv(net.op("mean", x), 8, (1, 1), padding=(0, 0, 0, 0), activation="unit")
    return net.op("mul", x, gate)


def _classifier(net: Net) -> str:
    x = net.op("mean", net.conv("input", 8, activation="relu"))
    return net.op("softmax", net.linear(net.op("reshape", x, shape=(1, 8)), 7))


def _pyramid(net: Net) -> str:
    x = net.conv("input", 4, stride=(2, 2), activation="relu")
    y = net.op("upsample", net.conv(x, 4, (1, 1), (3, 3), (0, 0, 0, 0)), factor=3)
    h, w = net.values[x].shape[2:]
    z = net.conv(y, 4, (2, 2), padding=(0, 0, 0, 0))
    y = net.op(
        "pad",
        z,
        padding=(0, h - net.values[z].shape[2], 0, w - net.values[z].shape[3]),
        value=0.0,
    )
    return net.op("concat", x, y)


def _attention(net: Net, heads: int = 2, size: int = 4) -> str:
    """Queries, keys and values of every position: matmul, softmax, matmul."""
    h, w = net.values["input"].shape[2:]
    shape = (1, heads, size, h * w)
    q, k, v = (
        net.op(
            "reshape", net.conv("input", heads * size, (1, 1), padding=(0, 0, 0, 0)), shape=shape
        )
        for _ in range(3)
    )
    scores = net.op("matmul", net.op("transpose", q, order=(0, 1, 3, 2)), k)
    # over the keys, which have to be axis 1 for it
    weights = net.op("softmax", net.op("transpose", scores, order=(0, 3, 1, 2)))
    weights = net.op("transpose", weights, order=(0, 2, 1, 3))
    y = net.op("reshape", net.op("matmul", v, weights), shape=(1, heads * size, h, w))
    return net.conv(y, 5, (1, 1), padding=(0, 0, 0, 0))


def _norm(net: Net) -> str:
    """A layer norm over channels, as the tracer writes it."""
    x = net.conv("input", 6)
    centered = net.op("add", x, net.sum_channels(x, -1 / 6, 0.0))
    power = net.sum_channels(net.op("mul", centered, centered), 1 / 6, 0.1)
    return net.op("mul", centered, net.lookup(power, "rsqrt"))


def _lookup(function: str, slope: float = 0.0) -> Callable[[Net], str]:
    return lambda n: n.lookup(n.conv("input", 5), function, slope)


def _resize(
    size: tuple[int, int], mode: str = "bilinear", aligned: bool = False
) -> Callable[[Net], str]:
    return lambda n: n.op("resize", n.conv("input", 4), size=size, mode=mode, aligned=aligned)


def _rejoined(net: Net) -> str:
    """A sigmoid beside logits, on one grid."""
    x = net.conv("input", 4)
    return net.op("concat", x, net.op("sigmoid", net.conv("input", 4)))


CASES: dict[str, Callable[[Net], str]] = {
    "conv": lambda n: n.conv("input", 6),
    "conv_1x1_relu6": lambda n: n.conv(
        "input", 6, (1, 1), padding=(0, 0, 0, 0), activation="relu6"
    ),
    "conv_stride": lambda n: n.conv("input", 6, stride=(2, 3), activation="relu"),
    "conv_pad_bottom_right": lambda n: n.conv("input", 6, stride=(2, 2), padding=(0, 1, 0, 1)),
    "conv_pad_explicit": lambda n: n.conv("input", 6, padding=(2, 0, 1, 3)),
    "conv_valid": lambda n: n.conv("input", 6, (2, 4), padding=(0, 0, 0, 0)),
    "conv_5x5_dilated": lambda n: n.conv("input", 4, (3, 2), padding=(2, 2, 1, 2), dilation=(2, 3)),
    "conv_many_terms": lambda n: n.conv(n.conv("input", 64), 5, activation="unit"),
    "depthwise": lambda n: n.depthwise(n.conv("input", 8), activation="relu6"),
    "depthwise_stride": lambda n: n.depthwise(n.conv("input", 8), stride=(2, 2)),
    "depthwise_multiplier": lambda n: n.depthwise("input", 3, padding=(0, 0, 0, 0)),
    "depthwise_dilated": lambda n: n.depthwise("input", dilation=(2, 2), padding=(2, 2, 2, 2)),
    "depthwise_5x5": lambda n: n.depthwise("input", kernel=(5, 5), padding=(2, 2, 2, 2)),
    "add": lambda n: n.op("add", n.conv("input", 4), n.conv("input", 4), activation="relu"),
    "add_itself": lambda n: n.op("add", "input", "input"),
    "add_broadcast": lambda n: n.op("add", n.op("mean", "input"), n.conv("input", 3)),
    "mul": lambda n: n.op("mul", n.conv("input", 4), n.conv("input", 4), activation="relu6"),
    "silu": lambda n: n.op("mul", x := n.conv("input", 4), n.op("sigmoid", x)),
    "squeeze_excite": _se_block,
    "concat_upsample_pad": _pyramid,
    "sigmoid": lambda n: n.op("sigmoid", n.conv("input", 4)),
    "softmax_channels": lambda n: n.op("softmax", n.conv("input", 4)),
    "classifier": _classifier,
    "linear_relu": lambda n: n.linear(
        n.op("reshape", n.conv("input", 4), shape=(1, 4 * 99)), 5, activation="relu"
    ),
    "max_pool": lambda n: _pool("max_pool", n, (0, 0, 0, 0), 2),
    "max_pool_same": lambda n: _pool("max_pool", n, (1, 1, 1, 1)),
    "max_pool_explicit": lambda n: _pool("max_pool", n, (0, 1, 1, 0), 3, 1),
    "avg_pool": lambda n: _pool("avg_pool", n, (0, 0, 0, 0), 3, 3),
    "avg_pool_same": lambda n: _pool("avg_pool", n, (1, 1, 1, 1), 3, 1),
    "pad_value": lambda n: n.op("pad", "input", padding=(1, 2, 0, 1), value=0.447),
    "reshape_grid": lambda n: n.op(
        "reshape", n.op("reshape", n.conv("input", 4), shape=(1, 396)), shape=(1, 9, 4, 11)
    ),
    "conv_grouped": lambda n: n.conv(n.conv("input", 6), 8, groups=2, activation="relu"),
    "conv_grouped_stride": lambda n: n.conv(n.conv("input", 9), 6, stride=(2, 2), groups=3),
    "conv_transpose": lambda n: n.conv_transpose(n.conv("input", 4), 5),
    "conv_transpose_same": lambda n: n.conv_transpose("input", 5, (4, 4), padding=(1, 1, 1, 1)),
    "conv_transpose_cut": lambda n: n.conv_transpose("input", 4, (3, 3), padding=(1, 0, 1, 0)),
    "conv_transpose_overlap": lambda n: n.conv_transpose("input", 4, (5, 3), (2, 3)),
    "tanh": _lookup("tanh"),
    "gelu": _lookup("gelu"),
    "gelu_tanh": _lookup("gelu_tanh"),
    "exp": _lookup("exp"),
    "elu": _lookup("elu"),
    "leaky_relu": _lookup("leaky_relu", 0.1),
    "leaky_relu_negative": _lookup("leaky_relu", -0.4),
    "prelu": lambda n: n.op("prelu", n.conv("input", 4), slopes=(0.25, -0.1, 0.0, 1.3)),
    "resize_bilinear": _resize((18, 22)),
    "resize_bilinear_smaller": _resize((5, 4)),
    "resize_bilinear_aligned": _resize((20, 13), aligned=True),
    "resize_nearest": _resize((14, 25), "nearest"),
    "transpose": lambda n: n.op("transpose", n.conv("input", 4), order=(0, 2, 3, 1)),
    "slice": lambda n: n.op("slice", n.conv("input", 4), axis=2, start=1, stop=7, step=2),
    "slice_channels": lambda n: n.op("slice", n.conv("input", 7), axis=1, start=2, stop=5, step=1),
    "attention": _attention,
    "layer_norm": _norm,
    "constant": lambda n: n.op(
        "add",
        n.conv("input", 4),
        n.op("constant", value=torch.randn(1, 4, 9, 11, generator=n.generator)),
    ),
    "requantize": _rejoined,
    "concat_many": lambda n: n.op("concat", *(n.conv("input", c) for c in range(1, 13))),
    "mul_by_one_channel": lambda n: n.op("mul", n.conv("input", 4), n.conv("input", 1)),
    "max_pool_whole": lambda n: _pool("max_pool", n, (0, 0, 0, 0), 9, 9),
    "avg_pool_counted": lambda n: n.op(
        "avg_pool",
        n.op("pad", n.conv("input", 4), padding=(1, 1, 1, 1), value=0.0),
        kernel=(3, 3),
        stride=(2, 2),
        padding=(0, 0, 0, 0),
    ),
}
"""A network an op, in every form a backend may have to write it."""

NOT_ON_MICROCONTROLLERS = frozenset({"gelu", "gelu_tanh", "exp"})
"""Cases TensorFlow Lite Micro has no kernel for; LiteRT's reference kernels judge them."""
