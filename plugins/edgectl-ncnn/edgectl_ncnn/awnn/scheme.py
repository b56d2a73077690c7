"""The arithmetic of the V831's neural processor: int8 with symmetric ranges, in every tensor.

The processor is of the NVDLA nv_small kind (http://nvdla.org): int32 accumulators, then an integer
multiplication and a right shift.
"""

from __future__ import annotations

from edgectl.quant.ranges.scheme import QuantScheme


def scheme(*, per_channel: bool) -> QuantScheme:
    """Concatenation and upsampling do not rescale; sums, pooling and averages do."""
    return QuantScheme(
        name="awnn int8",
        activation_range=(-128, 127),
        activation_symmetric=True,
        weight_range=(-127, 127),
        weight_per_channel=per_channel,
        bias_bits=32,
        shared_range_ops=frozenset({"concat", "max_pool", "upsample", "reshape"}),
        float_grouped=True,  # on the CPU
        accumulator="int32, then a multiplier of 16 bits and a shift of at most 15",
    )
