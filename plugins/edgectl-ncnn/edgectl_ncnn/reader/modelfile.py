"""A network as ncnn stores it: the layers of a ``.param`` with the numbers of its ``.bin``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgectl.errors import ArtifactError
from edgectl_ncnn.reader import layers as ncnn_layers
from edgectl_ncnn.reader.binfile import BinReader, Block, pack
from edgectl_ncnn.reader.layers import Slot
from edgectl_ncnn.reader.paramfile import Layer, format_param, read_param

Layout = Callable[[Sequence[Layer]], list[list[Slot]]]
"""What each of a file's layers keeps in the ``.bin``."""


@dataclass(frozen=True)
class ModelFile:
    """Attributes:
    layers: in execution order.
    blocks: the numbers of each layer, in file order; empty for layers without weights.
    where: the ``.param`` file, for messages.
    """

    layers: tuple[Layer, ...]
    blocks: tuple[tuple[Block, ...], ...]
    where: str = "model.param"

    def weights(self, layer: Layer) -> dict[str, np.ndarray]:
        """Slot name -> flat values of one layer of this file."""
        index = next(i for i, other in enumerate(self.layers) if other is layer)
        return {b.slot.name: b.values for b in self.blocks[index]}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Blobs of the Input layers."""
        return tuple(o for layer in self.layers if layer.type == "Input" for o in layer.outputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Blobs nobody reads, in order of appearance."""
        read = Counter(i for layer in self.layers for i in layer.inputs)
        return tuple(o for layer in self.layers for o in layer.outputs if not read[o])

    @property
    def parameters(self) -> int:
        """Weights and biases, scales not counted."""
        scales = {"weight_scales", "bottom_scale", "top_scale", "factor"}
        return sum(b.slot.count for bs in self.blocks for b in bs if b.slot.name not in scales)

    def param_text(self) -> str:
        """The ``.param`` file."""
        return format_param(self.layers)

    def bin_bytes(self) -> bytes:
        """The ``.bin`` file."""
        return pack(b for blocks in self.blocks for b in blocks)


def read_model(
    param: Path, bin_: Path | None = None, layout: Layout = ncnn_layers.layout
) -> ModelFile:
    """Both files; the weights lie beside the ``.param`` unless ``bin_`` says where.

    Raises:
        ArtifactError: absent, damaged, or two files that do not belong together.
    """
    layers = read_param(param)
    bin_ = bin_ or param.with_suffix(".bin")
    try:
        reader = BinReader(bin_.read_bytes(), str(bin_))
    except OSError as e:
        raise ArtifactError(
            f"cannot be read: {e.strerror}", where=str(bin_), fix="keep .param and .bin together"
        ) from e
    try:
        wanted = layout(layers)
    except ArtifactError as e:
        raise ArtifactError(e.message, where=str(param), fix=e.fix) from e
    blocks = [
        tuple(reader.take(slot, f"{layer.type} '{layer.name}'") for slot in slots)
        for layer, slots in zip(layers, wanted, strict=True)
    ]
    reader.finish()
    return ModelFile(tuple(layers), tuple(blocks), str(param))


def write_model(model: ModelFile, param: Path) -> list[Path]:
    """Writes ``param`` and the ``.bin`` beside it; returns both."""
    bin_ = param.with_suffix(".bin")
    bin_.write_bytes(model.bin_bytes())
    param.write_text(model.param_text(), encoding="ascii")
    return [param, bin_]
