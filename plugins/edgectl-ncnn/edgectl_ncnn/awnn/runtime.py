"""An awnn file opened on the simulator. See :class:`edgectl.backends.contract.Runner`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_ncnn.awnn import fields
from edgectl_ncnn.awnn.integer import Simulator
from edgectl_ncnn.reader.modelfile import read_model

_BATCH = 4


class SimulatorRunner:
    """Outputs come in the order of their names, ``output0`` first.

    Args:
        preprocess: its mean and std; None feeds ``pixel`` as it is.

    Raises:
        ArtifactError: a damaged file, or one with another number of outputs than ``specs``.
    """

    arena_bytes: int | None = None

    def __init__(
        self, param: Path, specs: Sequence[OutputSpec], preprocess: PreprocessSpec | None
    ) -> None:
        model = read_model(param, layout=fields.layout)
        self._simulator = Simulator(model)
        self._where = str(param)
        self._outputs = sorted(model.outputs, key=lambda n: (len(n), n))
        if specs and len(specs) != len(self._outputs):
            raise ArtifactError(
                f"{len(self._outputs)} outputs ({', '.join(self._outputs)}); {len(specs)} expected",
                where=self._where,
                fix="evaluate the file together with the manifest it was exported with",
            )
        # a class layer may be a convolution on one cell: the same numbers, two dimensions more
        self._flat = [spec.stride == 0 for spec in specs] or [False] * len(self._outputs)
        mean, std = (preprocess.mean, preprocess.std) if preprocess else ((0.0,), (1.0,))
        self._mean, self._std = (np.asarray(v, np.float32) for v in (mean, std))

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """images: uint8 (N, H, W, C). Returns float32 (N, C, H, W) or (N, C), one an output."""
        if images.shape[1:] != self._simulator.input_shape:
            raise ArtifactError(
                f"images are {images.shape[1:]}, the file takes "
                f"{self._simulator.input_shape} (height, width, channels)",
                where=self._where,
                fix="resize the images to the file's input",
            )
        x = ((images.astype(np.float32) - self._mean) / self._std).transpose(0, 3, 1, 2)
        chunks = [self._simulator.run(x[i : i + _BATCH]) for i in range(0, len(x), _BATCH)]
        outputs = [np.concatenate([c[name] for c in chunks]) for name in self._outputs]
        return [
            y.reshape(len(y), -1) if flat else y
            for y, flat in zip(outputs, self._flat, strict=True)
        ]
