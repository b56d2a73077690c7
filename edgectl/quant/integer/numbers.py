"""The numbers of a file: int8 with scales from a quantized graph, or float32 as they are."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.quantized import QuantizedGraph

Scales = tuple[list[float], list[int]]
"""(scales, zero points); both empty for float tensors."""


class Numbers(Protocol):
    """What the writer asks for; ``dtype`` is the numpy name of activations and weights."""

    dtype: str

    def activation(self, name: str) -> Scales:
        """Parameters of a graph tensor."""
        ...

    def weight(self, node: Node) -> tuple[np.ndarray, list[float]]:
        """Values in the graph's layout, and scales along axis 0."""
        ...

    def bias(self, node: Node) -> tuple[np.ndarray, list[float]]:
        """Values (out,) and their scales."""
        ...

    def border(self, name: str, value: float | None) -> float:
        """The stored value of a border around a tensor; None asks for the lowest there is."""
        ...

    def constant(self, values: np.ndarray) -> tuple[np.ndarray, list[float], list[int]]:
        """Numbers with one scale of their own, symmetric: as stored, scales, zero points."""
        ...

    def stored(self, name: str, values: np.ndarray) -> np.ndarray:
        """Numbers on the grid of a graph tensor, as the file stores them."""
        ...

    def rescales_upwards(self, node: Node) -> bool:
        """True where a product's output steps are finer than the product of its inputs' steps."""
        ...


class FloatNumbers:
    """Implements :class:`Numbers`."""

    dtype = "float32"

    def __init__(self, graph: QuantGraph) -> None:
        self._graph = graph

    def activation(self, name: str) -> Scales:
        """Implements :class:`Numbers`."""
        return [], []

    def weight(self, node: Node) -> tuple[np.ndarray, list[float]]:
        """Return a weight as the file stores it."""
        assert node.weight is not None
        return node.weight.detach().cpu().numpy(), []

    def bias(self, node: Node) -> tuple[np.ndarray, list[float]]:
        """Return a bias as the file stores it."""
        assert node.bias is not None
        return node.bias.detach().cpu().numpy(), []

    def border(self, name: str, value: float | None) -> float:
        """Return the constant a border is filled with."""
        return float(np.finfo(np.float32).min) if value is None else value

    def constant(self, values: np.ndarray) -> tuple[np.ndarray, list[float], list[int]]:
        """Implements :class:`Numbers`."""
        return values.astype(np.float32), [], []

    def stored(self, name: str, values: np.ndarray) -> np.ndarray:
        """Implements :class:`Numbers`."""
        return values.astype(np.float32)

    def rescales_upwards(self, node: Node) -> bool:
        """Whether a join would have to scale a tensor up."""
        return False


class Int8Numbers:
    """Implements :class:`Numbers`."""

    dtype = "int8"

    def __init__(self, quantized: QuantizedGraph) -> None:
        self._quantized = quantized

    def activation(self, name: str) -> Scales:
        """Implements :class:`Numbers`."""
        q = self._quantized.activations[name]
        return [q.scale], [q.zero_point]

    def weight(self, node: Node) -> tuple[np.ndarray, list[float]]:
        """Return a weight as the file stores it."""
        scales = self._quantized.weight_scales[node.name]
        return self._quantized.integer_weight(node), scales.tolist()

    def bias(self, node: Node) -> tuple[np.ndarray, list[float]]:
        """Return a bias as the file stores it."""
        scales: list[float] = self._quantized.bias_scale(node).tolist()
        return self._quantized.integer_bias(node), scales

    def border(self, name: str, value: float | None) -> float:
        """Return the constant a border is filled with."""
        low, high = self._quantized.scheme.activation_range
        if value is None:
            return low
        q = self._quantized.activations[name]
        return float(np.clip(round(value / q.scale) + q.zero_point, low, high))

    def constant(self, values: np.ndarray) -> tuple[np.ndarray, list[float], list[int]]:
        """Implements :class:`Numbers`."""
        scale = float(np.float32(max(float(np.abs(values).max()), 1e-6) / 127.0))
        return np.clip(np.rint(values / scale), -127, 127).astype(np.int8), [scale], [0]

    def stored(self, name: str, values: np.ndarray) -> np.ndarray:
        """Implements :class:`Numbers`."""
        q, (low, high) = self._quantized.activations[name], self._quantized.scheme.activation_range
        steps = np.rint(values.astype(np.float32) / np.float32(q.scale)) + q.zero_point
        return np.asarray(np.clip(steps, low, high), np.int8)

    def rescales_upwards(self, node: Node) -> bool:
        """Whether a join would have to scale a tensor up."""
        a, b = (self._quantized.activations[i].scale for i in node.inputs)
        return a * b >= self._quantized.activations[node.name].scale
