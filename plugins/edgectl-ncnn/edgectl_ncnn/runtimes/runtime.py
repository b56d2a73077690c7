"""A ``.param`` with its ``.bin`` on the ncnn runtime. See :class:`edgectl.backends.contract.Runner`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.backends.foreign import require_survivable_parse
from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.train.device import choose_threads
from edgectl_ncnn.reader.modelfile import read_model


def _program(name: str, shape: tuple[int, ...]) -> str:
    """Loads the two files and, where the input's size is known, runs the network on zeros."""
    lines = [
        "import sys, ncnn",
        "net = ncnn.Net()",
        "net.opt.use_vulkan_compute = False",
        "if net.load_param(sys.argv[1]) or net.load_model(sys.argv[2]): sys.exit(1)",
    ]
    if all(shape):
        height, width, channels = shape
        lines += [
            "import numpy",
            f"x = numpy.zeros(({channels}, {height}, {width}), 'float32')",
            "ex = net.create_extractor()",
            f"ex.input({name!r}, ncnn.Mat(x).clone())",
            "for output in net.output_names(): ex.extract(output)",
        ]
    return "\n".join(lines)


class NcnnRunner:
    """Computes in float32 where the file is not int8: half-precision arithmetic is a choice of the
    device, and would blur comparisons.

    Args:
        param: the weights lie beside it.
        specs: outputs to read, by name; the file's own when empty.
        preprocess: its mean and std; None feeds ``pixel`` as it is.
        threads: 0 leaves a core free.

    Raises:
        BackendUnavailableError: the ncnn package is absent.
        ArtifactError: a file ncnn does not load or that lacks an output.
    """

    arena_bytes: int | None = None

    def __init__(
        self,
        param: Path,
        specs: Sequence[OutputSpec] = (),
        preprocess: PreprocessSpec | None = None,
        *,
        threads: int = 0,
    ) -> None:
        try:
            import ncnn
        except ImportError as e:
            raise BackendUnavailableError(
                "ncnn is not installed", fix="pip install edgectl-ncnn"
            ) from e
        self._ncnn: Any = ncnn
        model = self._model = read_model(param)
        if len(model.inputs) != 1:
            raise ArtifactError(f"{len(model.inputs)} inputs; one is expected", where=model.where)
        self._outputs = [s.name for s in specs] or list(model.outputs)
        absent = sorted(set(self._outputs) - set(model.outputs))
        if absent:
            raise ArtifactError(
                f"the file has the outputs {', '.join(model.outputs)}; {absent[0]} is expected",
                where=model.where,
                fix="evaluate the file together with the manifest it was exported with",
            )
        layer = next(layer for layer in model.layers if layer.type == "Input")
        self._shape = tuple(layer.integer(k) for k in (1, 0, 2))
        mean, std = (preprocess.mean, preprocess.std) if preprocess else ((0.0,), (1.0,))
        self._mean, self._std = (np.asarray(v, np.float32) for v in (mean, std))
        if not specs:  # a file of another program: ncnn believes every number in it
            files = (param, param.with_suffix(".bin"))
            require_survivable_parse(_program(model.inputs[0], self._shape), files, "ncnn")
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = choose_threads(threads)
        options.use_vulkan_compute = False
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(options, f"use_{name}", False)
        weights = str(param.with_suffix(".bin"))
        if self._net.load_param(str(param)) or self._net.load_model(weights):
            raise ArtifactError("ncnn does not load the file", where=model.where)

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """images: uint8 (N, H, W, C). Returns float32 (N, ...), one array an output."""
        if any(self._shape) and images.shape[1:] != self._shape:
            raise ArtifactError(
                f"images are {images.shape[1:]}, the file takes {self._shape} "
                "(height, width, channels)",
                where=self._model.where,
                fix="resize the images to the file's input",
            )
        x = (images.astype(np.float32) - self._mean) / self._std
        results = [self.run(image) for image in x.transpose(0, 3, 1, 2)]
        return [np.stack(parts) for parts in zip(*results, strict=True)]

    def run(self, x: np.ndarray, outputs: Sequence[str] = ()) -> list[np.ndarray]:
        """x: float32 (C, H, W), normalized. ``outputs``: other blobs than the file's outputs."""
        # A Mat neither owns the array it wraps nor keeps it alive: bound to a name until it is cloned.
        wrapped = np.ascontiguousarray(x, np.float32)
        held = self._ncnn.Mat(wrapped).clone()
        extractor = self._net.create_extractor()
        extractor.input(self._model.inputs[0], held)
        results = []
        for name in outputs or self._outputs:
            code, value = extractor.extract(name)
            if code:
                raise ArtifactError(
                    f"ncnn fails at '{name}' (code {code})", where=self._model.where
                )
            results.append(np.array(value))
        return results
