"""The library compiled with this machine's compiler and called."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

import numpy as np

from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.quant.integer.program import Program
from edgectl_c.code.model import Source
from edgectl_c.modelfile import CODE, HEADER
from edgectl_c.plugin import COMPILERS

_FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared", "-fvisibility=default")
_SECONDS = 600


class CompiledLibrary:
    """Raises BackendUnavailableError without a compiler, ArtifactError where it fails."""

    def __init__(self, program: Program, source: Source) -> None:
        self._shapes = [program.tensors[i].shape for i in program.outputs]
        self._directory = tempfile.TemporaryDirectory(prefix="edgectl-c-")
        built = compile_shared(source, Path(self._directory.name))
        self._library = ctypes.CDLL(str(built))
        self._library.model_output.restype = ctypes.POINTER(ctypes.c_int8)
        self._library.host_run.restype = None
        self._library.model_init()

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """x: int8 (N, ...) as the program's input. Returns one int8 (N, ...) array an output."""
        results: list[list[np.ndarray]] = [[] for _ in self._shapes]
        for image in np.ascontiguousarray(x):
            self._library.host_run(image.ctypes.data_as(ctypes.c_void_p))
            for k, shape in enumerate(self._shapes):
                bytes_at = self._library.model_output(k)
                found = np.ctypeslib.as_array(bytes_at, (math.prod(shape),))
                results[k].append(found.copy().reshape(shape[1:]))
        return [np.stack(r) for r in results]


def compile_shared(source: Source, directory: Path, flags: tuple[str, ...] = _FLAGS) -> Path:
    """A shared library in ``directory``; see :class:`CompiledLibrary`."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise BackendUnavailableError("no C compiler on this machine", fix="install gcc or clang")
    (directory / CODE).write_text(source.code, encoding="utf-8")
    (directory / HEADER).write_text(source.header, encoding="utf-8")
    host = (resources.files("edgectl_c.runtimes") / "host.c").read_text("utf-8")
    (directory / "host.c").write_text(host, encoding="utf-8")
    built = directory / "model.so"
    words = [compiler, *flags, CODE, "host.c", "-o", built.name]
    try:
        done = subprocess.run(
            words, cwd=directory, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ArtifactError(f"{compiler} did not finish: {e}", where=CODE) from e
    if done.returncode:
        first = next((x for x in done.stderr.splitlines() if "error" in x), "no message")
        raise ArtifactError(f"{compiler} refuses it: {first}", where=CODE)
    return built
