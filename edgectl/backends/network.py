"""What a vendor's compiler starts from, and what it is asked to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgectl.data.select.calibration import CalibrationSet
from edgectl.plugins.info import ToolInfo
from edgectl.spec import OutputSpec, PreprocessSpec, Size

if TYPE_CHECKING:
    import numpy as np
    import onnx

ONNX_FILE = "model.onnx"
INPUT = "images"
_BATCH = 16


@dataclass(frozen=True)
class Network:
    """The float network as an ONNX file.

    Its input ``images`` is float32 (1, C, H, W), ``(pixel - mean) / std`` as ``preprocess`` says; that step
    is the device's, and is to be told to the compiler exactly once. Its outputs are the raw heads,
    float32 NCHW, named as their OutputSpec.

    Attributes:
        file: ``model.onnx`` in the artifact's directory.
        calibration: images of *train*; None where nothing is quantized.
    """

    file: Path
    preprocess: PreprocessSpec
    outputs: tuple[OutputSpec, ...]
    classes: tuple[str, ...]
    calibration: CalibrationSet | None

    @property
    def input_size(self) -> Size:
        """(height, width)."""
        return self.preprocess.input_size

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The file, parsed, with shapes inferred."""
        import onnx

        return onnx.shape_inference.infer_shapes(onnx.load(self.file))

    def images(self) -> Iterator[np.ndarray]:
        """The calibration images one by one: uint8 (H, W, C), resized as for evaluation, in the spec's
        channel order, before normalization."""
        if self.calibration is None:
            return
        for batch in self.calibration.images(self.preprocess, _BATCH):
            yield from batch


def module_of(node: onnx.NodeProto) -> str:
    """Path of the torch module a node was exported from: ``/neck/top/conv/Conv`` → ``neck.top.conv``."""
    return ".".join(node.name.strip("/").split("/")[:-1]) or node.name


@dataclass(frozen=True)
class Step:
    """A program to run before the compiler, and what it is told."""

    tool: ToolInfo
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What the compiler is to do.

    Attributes:
        arguments: behind the tool's own command (``atc``, or the Python that has the SDK); run in the
            artifact's directory, so file names in it are relative. Empty: the plan is the product.
        product: the model file it leaves there.
        remarks: what the user should know before it runs.
        before: other programs of the vendor that have their turn first.
    """

    arguments: tuple[str, ...]
    product: str
    remarks: tuple[str, ...] = ()
    before: tuple[Step, ...] = ()
