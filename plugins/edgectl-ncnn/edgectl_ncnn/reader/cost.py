"""What a ``.param`` with its ``.bin`` costs, layer by layer: shapes come from running it once."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from edgectl.backends.cost import LayerCost, Profile
from edgectl.errors import ArtifactError
from edgectl.spec import Size
from edgectl_ncnn.reader.modelfile import ModelFile, read_model
from edgectl_ncnn.reader.paramfile import Layer
from edgectl_ncnn.runtimes.runtime import NcnnRunner

_FLOAT = 4
_WEIGHTS_KEY = {
    "Convolution": 6,
    "ConvolutionDepthWise": 6,
    "Deconvolution": 6,
    "DeconvolutionDepthWise": 6,
    "InnerProduct": 2,
}
"""Parameter that holds the number of weights."""
_BIAS_KEY = {"InnerProduct": 1}
_BIAS_DEFAULT = 5


def cost(param: Path, input_size: Size | None = None) -> Profile:
    """Activations in float32, as ncnn keeps them between layers; int8 weights a byte each.

    Raises:
        ArtifactError: a file that states no input size.
        BackendUnavailableError: the ncnn package is absent.
    """
    model = read_model(param)
    entry = next(layer for layer in model.layers if layer.type == "Input")
    width, height, channels = (entry.integer(k) for k in (0, 1, 2))
    if not width * height * channels:
        if input_size is None:
            raise ArtifactError(
                "the file states no input size, on which its cost depends",
                where=str(param),
                fix="--imgsz H W",
            )
        (height, width), channels = input_size, channels or 3
    names = [n for layer in model.layers for n in layer.outputs]
    zeros = np.zeros((channels, height, width), np.float32)
    values = NcnnRunner(param).run(zeros, [n for n in names if n not in model.inputs])
    shapes = {
        n: v.shape for n, v in zip((n for n in names if n not in model.inputs), values, strict=True)
    }
    shapes |= dict.fromkeys(model.inputs, zeros.shape)
    layers = [layer for layer in model.layers if layer.type not in ("Input", "Split")]
    costs = tuple(_layer(layer, shapes) for layer in layers)
    return Profile(costs, sum(c.params for c in costs), _peak(model, shapes))


def _layer(layer: Layer, shapes: dict[str, tuple[int, ...]]) -> LayerCost:
    key = _WEIGHTS_KEY.get(layer.type)
    weights = layer.integer(key) if key is not None else 0
    bias = layer.integer(0) if layer.integer(_BIAS_KEY.get(layer.type, _BIAS_DEFAULT)) else 0
    params = weights + bias if weights else 0
    output = shapes[layer.outputs[0]]
    positions = math.prod(output[1:]) if layer.type != "InnerProduct" else 1
    if layer.type.startswith("Deconvolution"):
        positions = math.prod(shapes[layer.inputs[0]][1:])
    width = 1 if weights and layer.integer(8) else _FLOAT
    return LayerCost(
        name=layer.name,
        op=layer.type,
        shape=(1, *output),
        params=params,
        macs=weights * positions,
        bytes_read=sum(math.prod(shapes[i]) * _FLOAT for i in layer.inputs) + params * width,
        bytes_written=sum(math.prod(shapes[o]) * _FLOAT for o in layer.outputs),
    )


def _peak(model: ModelFile, shapes: dict[str, tuple[int, ...]]) -> int:
    """Blobs alive at once; a split shares its input's memory."""
    owner = {
        o: layer.inputs[0] for layer in model.layers if layer.type == "Split" for o in layer.outputs
    }
    last = {
        owner.get(name, name): step
        for step, layer in enumerate(model.layers)
        for name in layer.inputs
    }
    alive: set[str] = set()
    peak = 0
    for step, layer in enumerate(model.layers):
        alive |= {o for o in layer.outputs if o not in owner}
        peak = max(peak, sum(math.prod(shapes[n]) * _FLOAT for n in alive))
        alive = {n for n in alive if last.get(n, math.inf) > step}
    return peak
