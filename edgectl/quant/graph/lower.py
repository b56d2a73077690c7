"""Fold the preprocessing into the graph, so that the device feeds ``pixel / 255`` and nothing else.

The model takes ``(pixel - mean) / std``; the lowered graph takes ``pixel * input_scale``. Both are
affine in the pixel, so the difference goes into the weights and bias of the first convolutions.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.spec import PreprocessSpec


def fold_preprocess(
    graph: QuantGraph,
    spec: PreprocessSpec,
    input_scale: float = 1.0 / 255.0,
    *,
    exact: bool = False,
) -> QuantGraph:
    """A graph of ``x = pixel * input_scale`` that computes what ``graph`` computes of
    ``(pixel - mean) / std``. The channel order stays the spec's: whoever feeds it, feeds that.

    Zero padding of the first convolution means ``pixel == mean``. Where the channel means agree, an
    explicit pad node writes that value and the result is exact. Where they differ, one constant
    cannot express it: the mean of the means is padded, and an output that overlaps the border is
    off by at most the sum over its padded taps of ``|w| * |mean_c - mean of means| / std_c`` (w:
    the weight before folding); with ``exact`` such a network gets a depthwise 1x1 convolution in front
    instead. So do readers other than convolutions.
    """
    scale, shift = (t.double() for t in _affine(graph, spec, input_scale))
    if bool((scale == 1).all()) and bool((shift == 0).all()):
        return graph.copy()
    result = graph.copy()
    readers = result.consumers(result.input.name)
    border = -shift / scale
    padded = any(any(r.attrs["padding"]) for r in readers if r.op == "conv")
    even = float(border.max() - border.min()) < 1e-9 or not padded
    foldable = all(r.op == "conv" for r in readers) and result.input.name not in result.outputs
    if not foldable or (exact and not even):
        return _prepend(result, scale, shift)
    value = float((-shift / scale).mean())
    nodes: list[Node] = []
    for node in result:
        if node in readers:
            _fold(node, scale, shift)
            if value != 0.0 and any(node.attrs["padding"]):
                pad = _pad_node(result.input, node, value)
                nodes.append(pad)
                node.inputs = (pad.name,)
                node.attrs["padding"] = (0, 0, 0, 0)
        nodes.append(node)
    return QuantGraph(nodes, result.outputs)


def _affine(graph: QuantGraph, spec: PreprocessSpec, input_scale: float) -> tuple[Tensor, Tensor]:
    """(C,) each: network input = scale * x + shift."""
    channels = graph.input.shape[1]
    mean, std = (
        torch.tensor(v[:1] * channels if len(v) == 1 else v, dtype=torch.float64)
        for v in (spec.mean, spec.std)
    )
    if len(mean) != channels or len(std) != channels:
        raise ValueError(f"{len(mean)} means and {len(std)} stds for {channels} input channels")
    scale = 1.0 / (std * input_scale)
    # 255 * (1 / 255) need not be 1 in floating point; it is meant to be.
    return torch.where((scale - 1).abs() < 1e-12, 1.0, scale), -mean / std


def _fold(node: Node, scale: Tensor, shift: Tensor) -> None:
    assert node.weight is not None and node.bias is not None
    out, per_group = node.weight.shape[:2]
    groups = node.attrs["groups"]
    # Input channel of weight[o, i] is (o // (out / groups)) * per_group + i.
    first = torch.arange(out) // (out // groups) * per_group
    channel = first[:, None] + torch.arange(per_group)
    weight = node.weight.double()
    node.bias = (node.bias.double() + (weight.sum(dim=(2, 3)) * shift[channel]).sum(1)).float()
    node.weight = (weight * scale[channel][:, :, None, None]).float()


def _pad_node(source: Node, conv: Node, value: float) -> Node:
    top, bottom, left, right = conv.attrs["padding"]
    n, c, h, w = source.shape
    return Node(
        f"{conv.name}_pad",
        "pad",
        (source.name,),
        (n, c, h + top + bottom, w + left + right),
        {"padding": (top, bottom, left, right), "value": value},
        origin=conv.origin,
    )


def _prepend(graph: QuantGraph, scale: Tensor, shift: Tensor) -> QuantGraph:
    """Normalization as a depthwise 1x1 convolution between the input and its readers."""
    source = graph.input
    normalize = Node(
        "normalise",
        "conv",
        (source.name,),
        source.shape,
        {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": source.shape[1]},
        weight=scale.float().reshape(-1, 1, 1, 1),
        bias=shift.float(),
    )
    nodes: list[Node] = []
    for node in graph:
        inputs = tuple(normalize.name if i == source.name else i for i in node.inputs)
        nodes.append(replace(node, inputs=inputs))
        if node.op == "input":
            nodes.append(normalize)
    outputs = [normalize.name if o == source.name else o for o in graph.outputs]
    return QuantGraph(nodes, outputs)
