"""ONNX operations atc refuses or runs on its slow AI CPU, as data: checker, README and tests read this.

From the ATC operator list ("Supported ONNX operators") and the reports of users: E19010, no parser for an
operator. The compiler has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from edgectl.backends.network import Network, module_of

REFUSED: Mapping[str, str] = {
    "GridSample": "Resize, or sample on the host",
    "NonMaxSuppression": "raw heads; suppression is the host's",
    "NonZero": "raw heads; selection is the host's",
    "Loop": "layers written out",
    "If": "one branch, chosen before export",
    "Scan": "layers written out",
    "Einsum": "MatMul with Reshape and Transpose",
    "DeformConv": "a plain convolution",
    "Mish": "relu",
    "HardSwish": "act_layer relu or relu6",
    "Unique": "raw heads; selection is the host's",
    "SequenceConstruct": "a tuple of tensors",
    "SequenceAt": "a tuple of tensors",
    "RandomNormal": "a constant",
    "RandomUniform": "a constant",
    "Dropout": "evaluation mode",
}
"""Operation → what to use."""

_STATIC = "export writes static shapes; a layer computes its shape from the image's content"


def check_network(network: Network) -> list[str]:
    """Each operation atc would refuse, with the module's path and the replacement."""
    graph = network.model.graph
    issues = [
        f"{module_of(node)}: atc has no {node.op_type}; use {REFUSED[node.op_type]}"
        for node in graph.node
        if node.op_type in REFUSED
    ]
    issues += [
        f"{module_of(node)}: {node.op_type} with mode {mode}; use nearest"
        for node in graph.node
        if node.op_type == "Resize" and (mode := _mode(node)) not in ("nearest", "linear")
    ]
    for value in (*graph.input, *graph.output):
        if any(d.dim_value <= 0 for d in value.type.tensor_type.shape.dim):
            issues.append(f"{value.name}: a dynamic shape; {_STATIC}")
    return issues


def _mode(node: onnx.NodeProto) -> str:
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    found: bytes = values.get("mode", b"nearest")
    return found.decode()
