"""The float ONNX file on ONNX Runtime: what every compiler starts from, scored where it can be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgectl.data.images.preprocess import normalize
from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.spec import OutputSpec, PreprocessSpec

RUNTIME = "onnxruntime"


def start_session(file: str | bytes, *, where: str | None = None, fix: str) -> Any:
    """A session on the CPU, with the threads torch has. ``file``: its path or its contents.

    Raises:
        ImportError: no onnxruntime.
        ArtifactError: it cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # its own exception types, one a cause
        raise ArtifactError(
            f"not a file ONNX Runtime can load: {str(e).splitlines()[0]}", where=where, fix=fix
        ) from e


class OnnxRunner:
    """A :class:`edgectl.backends.contract.Runner`. One image at a time: the file's batch is one."""

    arena_bytes: int | None = None

    def __init__(
        self, path: Path, specs: Sequence[OutputSpec], preprocess: PreprocessSpec | None
    ) -> None:
        try:
            self._session = start_session(
                str(path), where=str(path), fix="export again: edgectl export"
            )
        except ImportError as e:
            raise BackendUnavailableError(
                "ONNX Runtime is not installed", fix="pip install 'edgectl[onnx]'"
            ) from e
        self._input = self._session.get_inputs()[0]
        there = [o.name for o in self._session.get_outputs()]
        self._names = [s.name for s in specs] or there
        missing = sorted(set(self._names) - set(there))
        if missing:
            raise ArtifactError(
                f"the file has no output '{missing[0]}', only {', '.join(there)}",
                where=str(path),
                fix="export again: edgectl export",
            )
        shape = self._input.shape
        # a file of another program: timed on what it takes, without a meaning
        self._spec = preprocess or PreprocessSpec((int(shape[2]), int(shape[3])))

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """(N, H, W, C) uint8 to one float32 array an output."""
        x = normalize(torch.from_numpy(images).permute(0, 3, 1, 2), self._spec).numpy()
        rows = [
            self._session.run(self._names, {self._input.name: np.ascontiguousarray(x[i : i + 1])})
            for i in range(len(x))
        ]
        return [np.concatenate(parts).astype(np.float32) for parts in zip(*rows, strict=True)]
