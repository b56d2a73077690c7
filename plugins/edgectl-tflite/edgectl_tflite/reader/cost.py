"""What a .tflite file costs, op by op, in the bytes of its own tensors."""

from __future__ import annotations

import math

from edgectl.backends.cost import LayerCost, Profile
from edgectl.quant.integer.program import Operation
from edgectl_tflite.reader.liveness import file_moments
from edgectl_tflite.reader.modelfile import ModelFile

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
"""Ops whose second and third input are weights and bias."""


def cost(model: ModelFile) -> Profile:
    """One layer an op, named by the tensor it writes."""
    peak = max(m.nbytes for m in file_moments(model))
    learned = {i for op in model.operations for i in _weights(op)}
    params = sum(math.prod(model.tensors[i].shape) for i in learned)
    return Profile(tuple(_layer(model, op) for op in model.operations), params, peak)


def _weights(op: Operation) -> tuple[int, ...]:
    return tuple(i for i in op.inputs[1:3] if i >= 0) if op.name in _WEIGHTED else ()


def _layer(model: ModelFile, op: Operation) -> LayerCost:
    output = model.tensors[op.outputs[0]]
    return LayerCost(
        name=model.label(op.outputs[0]),
        op=op.name,
        shape=output.shape,
        params=sum(math.prod(model.tensors[i].shape) for i in _weights(op)),
        macs=_macs(model, op),
        bytes_read=sum(model.tensors[i].nbytes for i in op.inputs if i >= 0),
        bytes_written=sum(model.tensors[i].nbytes for i in op.outputs),
    )


def _macs(model: ModelFile, op: Operation) -> int:
    if op.name not in _WEIGHTED:
        return 0
    outputs = math.prod(model.tensors[op.outputs[0]].shape)
    weight = model.tensors[op.inputs[1]].shape
    match op.name:
        case "CONV_2D":  # (out, height, width, in)
            return outputs * math.prod(weight[1:])
        case "DEPTHWISE_CONV_2D":  # (1, height, width, out)
            return outputs * weight[1] * weight[2]
        case "FULLY_CONNECTED":  # (out, in)
            return outputs * weight[1]
    # TRANSPOSE_CONV reads (shape, weights, image): every input element meets every tap
    return math.prod(model.tensors[op.inputs[2]].shape) * math.prod(weight[:3])
