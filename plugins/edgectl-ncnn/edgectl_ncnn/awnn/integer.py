"""Runs an int8 awnn file in integer arithmetic, from the file alone.

What it computes is this project's reading of the format; see :mod:`edgectl_ncnn.awnn.kernels` for what
is assumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from edgectl.errors import ArtifactError
from edgectl_ncnn.awnn import fields
from edgectl_ncnn.awnn.kernels import CPU_KERNELS, NPU_KERNELS, Context, Step, saturate
from edgectl_ncnn.reader.modelfile import ModelFile
from edgectl_ncnn.reader.paramfile import Layer

T = TypeVar("T")


class Simulator:
    """Executes a :class:`ModelFile` of the awnn dialect.

    Raises:
        ArtifactError: a layer without a kernel, or fields that contradict each other, here or when
            it is run.
    """

    def __init__(self, model: ModelFile) -> None:
        self._model = model
        self._inputs = [layer for layer in model.layers if layer.type == "Input"]
        if len(self._inputs) != 1:
            raise ArtifactError(f"{len(self._inputs)} inputs; one is expected", where=model.where)
        self._scales: dict[str, float] = {}
        self._steps: list[tuple[Layer, Step]] = []
        for layer in model.layers:
            scales = self._located(layer, fields.scales_of)
            self._scales.update(zip(layer.outputs, scales, strict=True))
            if layer.type != "Input":
                self._steps.append((layer, self._located(layer, self._kernel)))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        layer = self._inputs[0]
        return layer.integer(1), layer.integer(0), layer.integer(2)

    @torch.no_grad()
    def run(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """x: float32 (N, C, H, W), normalized. Returns the outputs by blob name, real-valued."""
        blob = self._inputs[0].outputs[0]
        real = torch.from_numpy(np.ascontiguousarray(x))
        values = {blob: saturate(real * self._scales[blob])}
        uses = Counter(i for layer, _ in self._steps for i in layer.inputs)
        for layer, step in self._steps:
            read = partial(_apply, step, [values[i] for i in layer.inputs])
            y = self._located(layer, read)
            values.update(dict.fromkeys(layer.outputs, y))
            for name in layer.inputs:
                uses[name] -= 1
                if not uses[name]:
                    del values[name]
        return {o: (values[o] / self._scales[o]).numpy() for o in self._model.outputs}

    def _kernel(self, layer: Layer) -> Step:
        scales = tuple(self._scales[i] for i in layer.inputs)
        context = Context(layer, self._model.weights(layer), scales)
        if fields.on_npu(layer) and layer.type in NPU_KERNELS:
            return NPU_KERNELS[layer.type](context)
        if not fields.on_npu(layer) and layer.type in CPU_KERNELS:
            return self._converted(CPU_KERNELS[layer.type](context), layer)
        unit = "NPU" if fields.on_npu(layer) else "CPU"
        raise layer.damaged(f"no {unit} kernel for this type")

    def _converted(self, step: Step, layer: Layer) -> Step:
        """A float kernel between int8 tensors."""
        scales = [self._scales[i] for i in layer.inputs]
        out = self._scales[layer.outputs[0]]

        def convert(values: list[Tensor]) -> Tensor:
            return saturate(step([v / s for v, s in zip(values, scales, strict=True)]) * out)

        return convert

    def _located(self, layer: Layer, act: Callable[[Layer], T]) -> T:
        """``act(layer)``, its errors with the file's name."""
        try:
            return act(layer)
        except ArtifactError as e:
            raise ArtifactError(e.message, where=self._model.where, fix=e.fix) from e
        except (RuntimeError, ValueError, LookupError) as e:
            error = layer.damaged(str(e).splitlines()[0])
            raise ArtifactError(error.message, where=self._model.where, fix=error.fix) from e


def _apply(step: Step, inputs: list[Tensor], layer: Layer) -> Tensor:
    return step(inputs)
