"""The numbers of a file: float32, float16, or int8 with its scales. ncnn's scale is 127 / threshold,
the reciprocal of the graph's."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import Node
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.simulate import keeps_float
from edgectl_ncnn.capabilities import integer_kernel
from edgectl_ncnn.reader.binfile import Block
from edgectl_ncnn.reader.layers import Slot


class Numbers(Protocol):
    """What the writer asks for each convolution and fully connected layer."""

    def int8_term(self, node: Node) -> int:
        """Value of key 8; 0 for a float layer."""
        ...

    def blocks(self, node: Node) -> list[Block]:
        """Weights, bias and scales in file order."""
        ...


class FloatNumbers:
    """Implements :class:`Numbers`. ``half``: weights as float16, biases as float32."""

    def __init__(self, *, half: bool = False) -> None:
        self._half = half

    def int8_term(self, node: Node) -> int:
        """Implements :class:`Numbers`."""
        return 0

    def blocks(self, node: Node) -> list[Block]:
        """Raises ArtifactError where a weight does not fit float16."""
        assert node.weight is not None and node.bias is not None
        weight = node.weight.detach().cpu().numpy().astype(np.float32).ravel()
        if self._half:
            if np.abs(weight).max(initial=0.0) > np.finfo(np.float16).max:
                raise ArtifactError(
                    "a weight is too large for fp16",
                    where=node.origin or node.name,
                    fix="export with --precision fp32",
                )
            weight = weight.astype(np.float16)
        bias = node.bias.detach().cpu().numpy().astype(np.float32)
        return [
            Block(Slot("weight", weight.size, tagged=True), weight),
            Block(Slot("bias", bias.size), bias),
        ]


class Int8Numbers:
    """Implements :class:`Numbers`."""

    def __init__(self, quantized: QuantizedGraph) -> None:
        self._quantized = quantized
        self._float = FloatNumbers()

    def int8_term(self, node: Node) -> int:
        """2, or 1 for depthwise; 100 more where the layer's output is written as integers."""
        if not self._integer(node):
            return 0
        term = 1 if node.depthwise else 2
        return term + 100 if self._requantizes(node) else term

    def blocks(self, node: Node) -> list[Block]:
        """Return the blocks of weights and scales a layer stores."""
        weight, bias = self._float.blocks(node)
        if not self._integer(node):
            return [weight, bias]
        integers = self._quantized.integer_weight(node).ravel()
        scales = self._quantized.weight_scales[node.name].cpu().numpy().astype(np.float32)
        blocks = [
            Block(weight.slot, integers),
            bias,
            Block(Slot("weight_scales", scales.size), np.float32(1.0) / scales),
            Block(Slot("bottom_scale", 1), self.scale_of(node.inputs[0])),
        ]
        if self._requantizes(node):
            blocks.append(Block(Slot("top_scale", 1), self.scale_of(node.name)))
        return blocks

    def scale_of(self, tensor: str) -> np.ndarray:
        """float32 (1,): 127 / threshold of a tensor."""
        scale = np.float32(self._quantized.activations[tensor].scale)
        return np.asarray([np.float32(1.0) / scale], np.float32)

    def _integer(self, node: Node) -> bool:
        return integer_kernel(node) and not keeps_float(node, self._quantized.scheme)

    def _requantizes(self, node: Node) -> bool:
        """True where the only reader is an integer convolution: it would round the floats anyway."""
        graph = self._quantized.graph
        readers = graph.consumers(node.name)
        return (
            node.op == "conv"
            and len(readers) == 1
            and readers[0].op == "conv"
            and self._integer(readers[0])
            and node.name not in graph.outputs
        )
