"""ncnn's calibration table: the text from which its own ``ncnn2int8`` writes the same scales.

``<layer>_param_0 <weight scales...>`` lines, then ``<layer> <input scale>`` lines; 127 / threshold each.
"""

from __future__ import annotations

from edgectl_ncnn.reader.modelfile import ModelFile


def calibration_table(model: ModelFile) -> str:
    """The table of an int8 file, one pair of lines an integer layer."""
    weights, inputs = [], []
    for layer in model.layers:
        if not layer.integer(8):
            continue
        values = model.weights(layer)
        scales = " ".join(f"{s:.9g}" for s in values["weight_scales"])
        weights.append(f"{layer.name}_param_0 {scales}")
        inputs.append(f"{layer.name} {values['bottom_scale'][0]:.9g}")
    return "\n".join([*weights, *inputs]) + "\n"
