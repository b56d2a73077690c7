"""The arithmetic of ncnn's int8 layers.

A convolution rounds its float input with one symmetric scale, multiplies integers, and goes back to
float with the product of the scales: bias and activation stay float, and so does everything between
convolutions. https://github.com/Tencent/ncnn/wiki/quantized-int8-inference
"""

from __future__ import annotations

from edgectl.quant.ranges.scheme import QuantScheme


def scheme(*, float_depthwise: bool) -> QuantScheme:
    """``float_depthwise`` leaves depthwise and grouped convolutions out."""
    return QuantScheme(
        name="ncnn int8",
        activation_range=(-127, 127),
        activation_symmetric=True,
        weight_range=(-127, 127),
        weight_per_channel=True,
        bias_bits=None,
        rounds="weighted_inputs",
        float_grouped=float_depthwise,
        accumulator="int32, then float32",
    )
