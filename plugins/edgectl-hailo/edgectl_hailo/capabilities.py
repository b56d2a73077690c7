"""ONNX operations the Dataflow Compiler's parser takes, as data: the checker, the README and the tests read
this table. From the User Guide's chapter "Supported Layers" (3.30); the compiler itself has the last word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx

from edgectl.backends.network import Network, module_of

_MAX_RANK = 4
_GENERIC = "another activation or layer of the variant (edgectl models)"


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _two_dimensional(node: onnx.NodeProto) -> str | None:
    kernel = _attributes(node).get("kernel_shape", (0, 0))
    if len(kernel) != 2:
        return f"{len(kernel)}-dimensional kernel; use the 2-dimensional layer"
    return None


def _resize(node: onnx.NodeProto) -> str | None:
    mode = _attributes(node).get("mode", b"nearest").decode()
    if mode not in ("nearest", "linear"):
        return f"mode '{mode}'; use nearest or linear"
    return None


def _pad(node: onnx.NodeProto) -> str | None:
    mode = _attributes(node).get("mode", b"constant").decode()
    if mode not in ("constant", "reflect"):
        return f"mode '{mode}'; use constant"
    return None


def _softmax(node: onnx.NodeProto) -> str | None:
    axis = int(_attributes(node).get("axis", -1))
    if axis not in (1, -1):
        return f"axis {axis}; over the channels only"
    return None


def _pool(node: onnx.NodeProto) -> str | None:
    if _attributes(node).get("ceil_mode", 0):
        return "ceil_mode; pad the input instead"
    return _two_dimensional(node)


Rule = Callable[[onnx.NodeProto], str | None]
_ANY: Rule = lambda _: None  # noqa: E731

SUPPORTED: Mapping[str, Rule] = {
    # weights
    "Conv": _two_dimensional,
    "ConvTranspose": _two_dimensional,
    "Gemm": _ANY,
    "MatMul": _ANY,
    "BatchNormalization": _ANY,
    "LayerNormalization": _ANY,
    "InstanceNormalization": _ANY,
    # pooling and reduction
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _ANY,
    "GlobalMaxPool": _ANY,
    "ReduceMean": _ANY,
    "ReduceMax": _ANY,
    "ReduceSum": _ANY,
    "ReduceL2": _ANY,
    "ArgMax": _ANY,
    # activations
    "Relu": _ANY,
    "LeakyRelu": _ANY,
    "PRelu": _ANY,
    "Clip": _ANY,
    "Sigmoid": _ANY,
    "HardSigmoid": _ANY,
    "HardSwish": _ANY,
    "Tanh": _ANY,
    "Elu": _ANY,
    "Gelu": _ANY,
    "Mish": _ANY,
    "Softplus": _ANY,
    "Softsign": _ANY,
    "Softmax": _softmax,
    "Erf": _ANY,
    "Exp": _ANY,
    "Log": _ANY,
    "Sqrt": _ANY,
    "Pow": _ANY,
    "Abs": _ANY,
    "Neg": _ANY,
    # element by element
    "Add": _ANY,
    "Sub": _ANY,
    "Mul": _ANY,
    "Div": _ANY,
    "Min": _ANY,
    "Max": _ANY,
    # shapes
    "Concat": _ANY,
    "Split": _ANY,
    "Slice": _ANY,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "Flatten": _ANY,
    "Reshape": _ANY,
    "Transpose": _ANY,
    "Squeeze": _ANY,
    "Unsqueeze": _ANY,
    "Expand": _ANY,
    "Tile": _ANY,
    "DepthToSpace": _ANY,
    "SpaceToDepth": _ANY,
    # no computation
    "Constant": _ANY,
    "Identity": _ANY,
    "Dropout": _ANY,
}
"""Operation to what it must be like: None where it may stand, else the reason and what to use."""

REPLACEMENTS: Mapping[str, str] = {
    "GridSample": "Resize, or do it on the host",
    "NonMaxSuppression": "raw heads; suppression is the host's",
    "TopK": "raw heads; ranking is the host's",
    "Einsum": "MatMul with Reshape and Transpose",
    "LSTM": "convolutions",
    "GRU": "convolutions",
    "Celu": "relu",
    "Selu": "relu",
    "Where": "Mul by a mask",
    "ScatterND": "Concat",
    "GatherND": "Slice",
}


def check_network(network: Network) -> list[str]:
    """Each operation the parser would refuse, with the module's path and the replacement."""
    issues = []
    for node in network.model.graph.node:
        rule = SUPPORTED.get(node.op_type)
        if rule is None:
            instead = REPLACEMENTS.get(node.op_type, _GENERIC)
            issues.append(f"{module_of(node)}: {node.op_type} is unknown to it; use {instead}")
        elif reason := rule(node):
            issues.append(f"{module_of(node)}: {node.op_type} with {reason}")
    issues += _shapes(network.model)
    return issues


def _shapes(model: onnx.ModelProto) -> list[str]:
    """Tensors the hardware has no layout for."""
    ranks = {v.name: len(v.type.tensor_type.shape.dim) for v in model.graph.value_info}
    return [
        f"{module_of(node)}: {node.op_type} makes a tensor of {ranks[name]} dimensions; "
        f"at most {_MAX_RANK}"
        for node in model.graph.node
        for name in node.output
        if ranks.get(name, 0) > _MAX_RANK
    ]
