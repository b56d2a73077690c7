"""The arithmetic of TensorFlow Lite's int8 kernels, as its 8-bit specification has it.

https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec
"""

from __future__ import annotations

import numpy as np

from edgectl.quant.ranges.scheme import QParams, QuantScheme

PIXEL = QParams(float(np.float32(1.0 / 255.0)), -128)
"""pixel / 255: the device feeds ``uint8 - 128``. The same grid covers [0, 1] in full."""

PROBABILITY = QParams(1.0 / 256.0, -128)
"""What the LOGISTIC and SOFTMAX kernels write; they accept no other output parameters."""

SIGNED = QParams(1.0 / 128.0, 0)
"""What the TANH kernel writes."""

SCHEME = QuantScheme(
    name="tflite int8",
    activation_range=(-128, 127),
    activation_symmetric=False,
    weight_range=(-127, 127),
    weight_per_channel=True,
    bias_bits=32,
    input=PIXEL,
    fixed_outputs={"sigmoid": PROBABILITY, "softmax": PROBABILITY, "unit": PIXEL, "tanh": SIGNED},
    shared_range_ops=frozenset(
        {
            "concat",
            "max_pool",
            "avg_pool",
            "upsample",
            "resize",
            "pad",
            "reshape",
            "transpose",
            "slice",
        }
    ),
    accumulator="int32, then a 31-bit multiplier and a shift, each rounded (gemmlowp)",
)
