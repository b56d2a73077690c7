"""``QuantizedGraph``: a graph together with every integer parameter a writer needs.

The scales learned or searched are stored once, here, as float32 values; the fake-quantized forward,
the writer and the integer executor all read them from here, so none of them can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.ranges.scheme import QParams, QuantScheme


@dataclass
class QuantizedGraph:
    """Attributes:
    graph: float weights (after correction or training).
    scheme: the backend's arithmetic.
    activations: node name -> parameters of its output tensor.
    weight_scales: weighted node name -> float32 (out,) scales.
    """

    graph: QuantGraph
    scheme: QuantScheme
    activations: dict[str, QParams]
    weight_scales: dict[str, Tensor]

    def integer_weight(self, node: Node) -> np.ndarray:
        """int8 weights, shape of ``node.weight``: round(W / s), clamped, computed in float32."""
        assert node.weight is not None
        lo, hi = self.scheme.weight_range
        scale = self.weight_scales[node.name].reshape(-1, *[1] * (node.weight.ndim - 1))
        q = torch.clamp(torch.round(node.weight.detach() / scale), lo, hi)
        return q.to(torch.int8).cpu().numpy()

    def bias_scale(self, node: Node) -> np.ndarray:
        """float32 (out,): input scale * weight scale, the product rounded to float32 once."""
        s_in = np.float32(self.activations[node.inputs[0]].scale)
        product: np.ndarray = s_in * self.weight_scales[node.name].cpu().numpy().astype(np.float32)
        return product

    def integer_bias(self, node: Node) -> np.ndarray:
        """int32 (out,): round(b / bias_scale) in float64, ties to even."""
        assert node.bias is not None and self.scheme.bias_bits is not None
        half = 2 ** (self.scheme.bias_bits - 1)
        b = node.bias.detach().cpu().numpy().astype(np.float64)
        q = np.rint(b / self.bias_scale(node).astype(np.float64))
        return np.clip(q, -half, half - 1).astype(np.int32)
