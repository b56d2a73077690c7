"""``QuantScheme``: a backend's arithmetic, as data. Core calibrates, searches and trains in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class QParams:
    """real = scale * (q - zero_point). ``scale`` is a float32 value held in a Python float."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class QuantScheme:
    """How a backend computes with integers.

    Attributes:
        name: for reports.
        activation_range: (qmin, qmax) of activations.
        activation_symmetric: zero point forced to 0.
        weight_range: (qmin, qmax) of weights, always symmetric.
        weight_per_channel: one scale an output channel; else one a tensor.
        bias_bits: biases are rounded to ``input scale * weight scale`` and held in that many bits;
            None: they stay float32.
        input: fixed parameters of the network input, in the lowered domain.
        fixed_outputs: op, function or fused-activation name -> parameters the device's kernel demands.
        shared_range_ops: ops whose inputs and output must have equal parameters.
        rounds: where tensors become integers. ``outputs``: every op writes integers.
            ``weighted_inputs``: convolutions and fully connected layers round what they read, with
            the parameters of that tensor; everything else computes in float.
        float_grouped: depthwise and other grouped convolutions keep float weights, and where
            inputs are rounded, theirs are not.
        accumulator: free text for reports: how the device requantizes.
    """

    name: str
    activation_range: tuple[int, int] = (-128, 127)
    activation_symmetric: bool = False
    weight_range: tuple[int, int] = (-127, 127)
    weight_per_channel: bool = True
    bias_bits: int | None = 32
    input: QParams | None = None
    fixed_outputs: dict[str, QParams] = field(default_factory=dict)
    shared_range_ops: frozenset[str] = frozenset()
    rounds: Literal["outputs", "weighted_inputs"] = "outputs"
    float_grouped: bool = False
    accumulator: str = ""
