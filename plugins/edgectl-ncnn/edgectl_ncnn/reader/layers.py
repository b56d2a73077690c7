"""What each layer type keeps in the ``.bin`` file, as data.

The file has no index: whoever reads it must know the size of everything before. A type that is in
neither table therefore stops the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgectl.errors import ArtifactError
from edgectl_ncnn.reader.paramfile import Layer


@dataclass(frozen=True)
class Slot:
    """A run of numbers. ``tagged`` ones name their type in the file; others are float32."""

    name: str
    count: int
    tagged: bool = False


SlotsOf = Callable[[Layer], list[Slot]]


def _weighted(count_key: int, bias_key: int) -> SlotsOf:
    """Convolutions and fully connected layers; key 8 announces int8 scales after the bias."""

    def slots_of(layer: Layer) -> list[Slot]:
        out = layer.integer(0)
        slots = [Slot("weight", layer.integer(count_key), tagged=True)]
        if layer.integer(bias_key):
            slots.append(Slot("bias", out))
        term = layer.integer(8)
        if term:
            scales = out
            if layer.type == "ConvolutionDepthWise":
                scales = layer.integer(7, 1) if term in (1, 101) else 1
            slots += [Slot("weight_scales", scales), Slot("bottom_scale", 1)]
            if term > 100:
                slots.append(Slot("top_scale", 1))
        return slots

    return slots_of


def _no_scales(layer: Layer) -> list[Slot]:
    """Deconvolutions."""
    out = layer.integer(0)
    slots = [Slot("weight", layer.integer(6), tagged=True)]
    return [*slots, Slot("bias", out)] if layer.integer(5) else slots


def _per_channel(*names: str) -> SlotsOf:
    return lambda layer: [Slot(name, layer.integer(0)) for name in names]


def _scale(layer: Layer) -> list[Slot]:
    if layer.integer(0) == -233:  # the factors come from a second input
        return []
    return (
        _per_channel("scale", "bias")(layer) if layer.integer(1) else _per_channel("scale")(layer)
    )


def _affine(count_key: int, switch_key: int) -> SlotsOf:
    """Normalization layers."""

    def slots_of(layer: Layer) -> list[Slot]:
        if not layer.integer(switch_key, 1):
            return []
        return [Slot(n, layer.integer(count_key)) for n in ("gamma", "beta")]

    return slots_of


def _constant(layer: Layer) -> list[Slot]:
    count = 1
    for key in (0, 1, 11, 2):
        count *= layer.integer(key) or 1
    return [Slot("data", count, tagged=layer.integer(21, 1) == 0)]


WITH_WEIGHTS: dict[str, SlotsOf] = {
    "Convolution": _weighted(6, 5),
    "ConvolutionDepthWise": _weighted(6, 5),
    "Convolution1D": _weighted(6, 5),
    "InnerProduct": _weighted(2, 1),
    "Deconvolution": _no_scales,
    "DeconvolutionDepthWise": _no_scales,
    "BatchNorm": _per_channel("slope", "mean", "variance", "bias"),
    "PReLU": _per_channel("slope"),
    "Bias": _per_channel("bias"),
    "Scale": _scale,
    "LayerNorm": _affine(0, 2),
    "InstanceNorm": _affine(0, 2),
    "GroupNorm": _affine(1, 3),
    "MemoryData": _constant,
}

_PLAIN = """
    AbsVal ArgMax BNLL BinaryOp Cast Clip Concat Crop CumulativeSum DeepCopy DetectionOutput
    Dequantize Dropout ELU Eltwise Exp ExpandDims Flatten Fold GELU GLU HardSigmoid HardSwish Input
    Interp LRN Log MVN MatMul Mish Noop Normalize Packing Padding Permute PixelShuffle Pooling
    Pooling1D Power PriorBox Proposal PSROIPooling Quantize ROIAlign ROIPooling ReLU Reduction Reorg
    Reshape SELU ShuffleChannel Sigmoid Slice Softmax Softplus Split Squeeze Swish TanH Threshold
    Tile UnaryOp Unfold Yolov3DetectionOutput YoloDetectionOutput
"""
WITHOUT_WEIGHTS = frozenset(_PLAIN.split())


def layout(layers: Sequence[Layer]) -> list[list[Slot]]:
    """:func:`slots` of every layer. Raises ArtifactError."""
    return [slots(layer) for layer in layers]


def slots(layer: Layer) -> list[Slot]:
    """What ``layer`` keeps in the file, in order. Raises ArtifactError on an unknown type."""
    if layer.type in WITHOUT_WEIGHTS:
        return []
    slots_of = WITH_WEIGHTS.get(layer.type)
    if slots_of is None:
        where = f"line {layer.line}: " if layer.line else ""
        raise ArtifactError(
            f"{where}layer type '{layer.type}' of '{layer.name}' is unknown here",
            fix="known: " + ", ".join(sorted(WITH_WEIGHTS)) + " and layers without weights",
        )
    found = slots_of(layer)
    if any(s.count < 0 for s in found):
        raise layer.damaged("negative size")
    return found
