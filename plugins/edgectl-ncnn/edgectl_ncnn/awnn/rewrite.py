"""Rewrites before calibration, exact in real arithmetic, for what the file format cannot say."""

from __future__ import annotations

from dataclasses import replace

from torch.nn import functional as F

from edgectl.quant.graph.quant_graph import Node, QuantGraph


def symmetric_borders(graph: QuantGraph) -> QuantGraph:
    """Given: a convolution padded unequally. Result: equal padding and a kernel with zeros.

    One key holds the border of all sides. A missing row of border on one side equals a border there
    under a row of zeros in the kernel. Depthwise ones run on the CPU, which has all four keys.
    """
    return QuantGraph([_balanced(n) if _dense_and_unequal(n) else n for n in graph], graph.outputs)


def expressible(node: Node) -> bool:
    """Whether a convolution's border can be written, if need be after the rewrite."""
    return not _dense_and_unequal(node) or node.attrs["dilation"] == (1, 1)


def _dense_and_unequal(node: Node) -> bool:
    if node.op != "conv" or node.attrs["groups"] != 1:
        return False
    top, bottom, left, right = node.attrs["padding"]
    return bool(top != bottom or left != right)


def _balanced(node: Node) -> Node:
    assert node.weight is not None
    top, bottom, left, right = node.attrs["padding"]
    high, wide = max(top, bottom), max(left, right)
    weight = F.pad(node.weight, (wide - left, wide - right, high - top, high - bottom))
    attrs = {**node.attrs, "padding": (high, high, wide, wide)}
    return replace(node, weight=weight, attrs=attrs)
