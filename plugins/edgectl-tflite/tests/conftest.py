"""Small random networks, quantized by their own extremes, and the runtimes that judge files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from edgectl_tflite.reader.modelfile import ModelFile, parse_model
from edgectl_tflite.runtimes.tflm import MicroInterpreter
from edgectl_tflite.writer.write import write_model

from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute
from edgectl.quant.integer.executor import IntegerExecutor
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
    half = {"stride": (2, 2), "padding": (0, 1, 0, 1), "activation": "relu6"}
    point = {"kernel": (1, 1), "padding": (0, 0, 0, 0)}
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


def write(graph: QuantGraph | QuantizedGraph) -> ModelFile:
    outputs = (graph.graph if isinstance(graph, QuantizedGraph) else graph).outputs
    return parse_model(write_model(graph, [f"out{i}" for i in range(len(outputs))], "test"))


def differing_bytes(model: ModelFile, images: np.ndarray) -> int:
    """Integer executor against the real interpreter."""
    x = (images ^ 0x80).view(np.int8)
    ours = IntegerExecutor(model).run(x)
    interpreter = MicroInterpreter(model)
    differing = 0
    for i in range(len(x)):
        theirs = interpreter.run([x[i : i + 1]])
        differing += sum(np.count_nonzero(a[i] != b[0]) for a, b in zip(ours, theirs, strict=True))
    return differing


@pytest.fixture(scope="session")
def nets() -> SimpleNamespace:
    """The helpers of this file."""
    return SimpleNamespace(
        Net=Net,
        fomo=fomo,
        images_for=images_for,
        quantize=quantize,
        write=write,
        lowered=lowered,
        differing_bytes=differing_bytes,
    )


@pytest.fixture(scope="session")
def tflm() -> None:
    """Skips where the interpreter is not installed."""
    pytest.importorskip("tflite_micro", reason="tflite-micro is an extra")


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Path]:
    """Path of a file other programs wrote; skips where the collection is absent."""
    default = Path(__file__).parents[4] / "shared" / "golden"
    directory = Path(os.environ.get("EDGECTL_GOLDEN", default))

    def find(name: str) -> Path:
        if not (directory / name).is_file():
            pytest.skip(f"no golden files in {directory}")
        return directory / name

    return find
