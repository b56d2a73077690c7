"""Compiles the C file and calls it - the one generated here, never the one that was handed over."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
import tempfile
import weakref
from importlib import resources
from pathlib import Path

import numpy as np

from edgectl.errors import ArtifactError, BackendUnavailableError, EdgectlError
from edgectl_carray.generate import generate
from edgectl_carray.modelfile import load

KERNELS = "kernels.h"


def kernels() -> str:
    """Text of the loops ``model.c`` includes."""
    return (resources.files("edgectl_carray") / KERNELS).read_text("utf-8")


class CompiledRunner:
    """A :class:`edgectl.backends.contract.Runner`.

    Raises:
        ArtifactError: ``model.c`` is not what ``model.npz`` says.
        BackendUnavailableError: no C compiler.
    """

    arena_bytes: int | None = None

    def __init__(self, model_file: Path) -> None:
        model = load(model_file.with_suffix(".npz"))
        text = generate(model)
        shipped = (model_file, text), (model_file.with_name(KERNELS), kernels())
        for path, expected in shipped:
            if not path.is_file() or path.read_bytes() != expected.encode():
                raise ArtifactError(
                    "is not the C of model.npz",
                    where=str(path),
                    fix="export again: edgectl export --backend carray",
                )
        compiler = shutil.which("cc")
        if compiler is None:
            raise BackendUnavailableError("no C compiler", fix="apt install gcc")
        shapes = {n["name"]: n["shape"] for n in model.nodes}
        self._shapes = [shapes[o] for o in model.outputs]
        place = tempfile.TemporaryDirectory(prefix="edgectl-carray-")
        source, library = Path(place.name, "model.c"), Path(place.name, "model.so")
        source.write_text(text, encoding="utf-8")
        Path(place.name, KERNELS).write_text(kernels(), encoding="utf-8")
        # no reordering of float sums: the file must compute the same on every compiler
        words = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EdgectlError(f"cc failed: {done.stderr.splitlines()[:1]}", where=str(source))
        self._run = ctypes.CDLL(str(library)).edgectl_run
        weakref.finalize(self, place.cleanup)

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """(N, H, W, C) uint8 to one float32 NCHW array an output."""
        x = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        sizes = [math.prod(s) for s in self._shapes]
        rows = np.empty((len(x), sum(sizes)), np.float32)
        pointer = ctypes.POINTER(ctypes.c_float)
        for image, row in zip(x, rows, strict=True):
            self._run(image.ctypes.data_as(pointer), row.ctypes.data_as(pointer))
        parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
        return [p.reshape(len(x), *s[1:]) for p, s in zip(parts, self._shapes, strict=True)]
