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

    def linear(self, x: str, out: int, activation: Any = None) -> str:
        features = self.values[x].shape[1]
        weight = torch.randn(out, features, generator=self.generator) / features**0.5
        bias = torch.randn(out, generator=self.generator) * 0.3
        node = Node(
            f"linear{len(self.nodes)}", "linear", (x,), (), {}, activation, "", weight, bias
        )
        return self._add(node)

    def _add(self, node: Node) -> str:
        inputs = [self.values[i] for i in node.inputs]
        self.values[node.name] = execute(node, inputs, node.weight, node.bias)
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
}
"""A network an op, in every form a backend may have to write it."""
