"""The keys that awnn adds to ncnn's layers, and what its layers keep in the ``.bin``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgectl_ncnn.awnn.requantize import Multiplier
from edgectl_ncnn.reader import layers as ncnn_layers
from edgectl_ncnn.reader.layers import Slot
from edgectl_ncnn.reader.paramfile import Layer, Value

ENABLED, MULT, SHIFT, KIND = 20, 21, 22, 23
OTHER_MULT, OTHER_SHIFT, BASE = 17, 18, 16
BIAS_MULT, BIAS_SHIFT = 26, 27
DEVICE, SCALES = 28, 29
"""Array indices: ``-23328``, ``-23329``."""

PLAIN, RELU, PRELU = 0, 1, 2
CPU, NPU = 0, 1


def on_npu(layer: Layer) -> bool:
    """False also for layers without the key, as plain ncnn writes them."""
    return layer.type != "Input" and layer.array(DEVICE) == [NPU]


def scales_of(layer: Layer) -> list[float]:
    """int8 scale of each output blob, float32 values. Raises ArtifactError where one is missing."""
    scales = layer.array(SCALES)
    if len(scales) != len(layer.outputs) or not all(s > 0 for s in scales):
        raise layer.damaged("no int8 scale (-23329) for each of its outputs")
    return [float(np.float32(s)) for s in scales]


def requantization(m: Multiplier, kind: int | None = None) -> dict[int, Value]:
    """Keys of an output multiplier; ``kind``: key 23, where the layer has it."""
    keys: dict[int, Value] = {ENABLED: 1, MULT: m.mult, SHIFT: m.shift}
    return keys if kind is None else {**keys, KIND: kind}


def placement(device: int, scales: list[float]) -> dict[int, Value]:
    """Where a layer runs, and the scale of each of its outputs."""
    return {DEVICE: [device], SCALES: scales}


def output_multiplier(layer: Layer) -> Multiplier:
    """Inverse of :func:`requantization`. Raises ArtifactError."""
    return read_multiplier(layer, MULT, SHIFT)


def read_multiplier(layer: Layer, mult: int, shift: int) -> Multiplier:
    """Raises ArtifactError where the keys are missing or out of range."""
    m = Multiplier(layer.integer(mult, -1), layer.integer(shift, -1))
    if not (0 <= m.mult <= 32767 and 0 <= m.shift <= 31):
        raise layer.damaged(f"no valid multiplier in keys {mult} and {shift}")
    return m


def layout(layers: Sequence[Layer]) -> list[list[Slot]]:
    """As :func:`edgectl_ncnn.reader.layers.layout`, for the awnn dialect. Raises ArtifactError."""
    channels: dict[str, int] = {}
    found = []
    for layer in layers:
        # what has no number of outputs of its own hands on that of its input
        known = channels.get(layer.inputs[0], 0) if layer.inputs else 0
        if layer.type in ("Convolution", "InnerProduct", "ConvolutionDepthWise"):
            known = layer.integer(0)
        elif layer.type == "Concat":
            known = sum(channels.get(i, 0) for i in layer.inputs)
        channels.update(dict.fromkeys(layer.outputs, known))
        found.append(_slots(layer, known) if on_npu(layer) else ncnn_layers.slots(layer))
    return found


def _slots(layer: Layer, channels: int) -> list[Slot]:
    if layer.type in ("Convolution", "InnerProduct"):
        count = layer.integer(6 if layer.type == "Convolution" else 2)
        if channels < 1 or count < 1:
            raise layer.damaged("negative size")
        return [
            Slot("weight", count, tagged=True),
            Slot("bias", channels, tagged=True),
            Slot("factor", channels, tagged=True),
        ]
    if layer.type == "PReLU":  # the makers leave the number of slopes out
        return [Slot("slope", layer.integer(0) or channels, tagged=True)]
    return ncnn_layers.slots(layer)
