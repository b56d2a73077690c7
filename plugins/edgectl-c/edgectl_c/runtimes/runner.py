"""An exported library opened on one of its runtimes. See :class:`edgectl.backends.contract.Runner`.

c        compiled with this machine's compiler
integer  edgectl's exact executor, on the network's data
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.quant.integer.program import Program


class Executor(Protocol):
    """Runs int8 (N, ...) images; one int8 (N, ...) array an output."""

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """See the class."""
        ...


class LibraryRunner:
    """Feeds images as the device does and returns real numbers."""

    def __init__(self, program: Program, executor: Executor, arena_bytes: int | None) -> None:
        self._program, self._executor = program, executor
        self.arena_bytes = arena_bytes

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """images: uint8 (N, H, W, C). Returns float32 NCHW, other ranks as they are."""
        outputs = []
        for i, y in zip(self._program.outputs, self.raw(images), strict=True):
            tensor = self._program.tensors[i]
            centered = y.astype(np.float32) - np.float32(tensor.zero_points[0])
            real = centered * np.float32(tensor.scales[0])
            outputs.append(
                np.ascontiguousarray(real.transpose(0, 3, 1, 2) if real.ndim == 4 else real)
            )
        return outputs

    def raw(self, images: np.ndarray) -> list[np.ndarray]:
        """The bytes the device writes, NHWC, one array an output."""
        wanted = self._program.tensors[self._program.inputs[0]].shape
        if images.dtype != np.uint8 or images.shape[1:] != wanted[1:]:
            raise ArtifactError(
                f"images are {images.dtype} {images.shape[1:]}, "
                f"the library takes {wanted[1:]} (height, width, channels)",
                where=self._program.where,
                fix="resize the images to the library's input",
            )
        return self._executor.run((images ^ 0x80).view(np.int8))
