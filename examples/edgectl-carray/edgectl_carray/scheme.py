"""How the C code computes with integers."""

from __future__ import annotations

from edgectl.quant.ranges.scheme import QuantScheme

SCHEME = QuantScheme(
    name="C int8",
    activation_range=(-127, 127),
    activation_symmetric=True,
    weight_range=(-127, 127),
    weight_per_channel=True,
    bias_bits=None,
    rounds="weighted_inputs",
    accumulator="int32, then float32",
)
"""Convolutions and linear layers round what they read."""
