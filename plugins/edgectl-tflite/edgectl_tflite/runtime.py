"""Four ways to run a file: LiteRT as phones run it, its reference kernels, the microcontroller
interpreter, and our integer executor. All take the same pictures and give the same kind of answer."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.types import OutputSpec

from edgectl_tflite import kernels
from edgectl_tflite.integer import IntegerExecutor, params
from edgectl_tflite.read import FileGraph, read_file

_ARENA_START = 1 << 20
_ARENA_LIMIT = 1 << 30
_SCALE_IN = float(np.float32(1.0 / 255.0))


class FileRunner(ABC):
    """See :class:`edgectl.protocols.Runner`.

    Args:
        path: the model file.
        specs: the outputs wanted, found in the file by name, else by position.
    """

    arena_bytes: int | None = None

    def __init__(self, path: Path, specs: Sequence[OutputSpec]) -> None:
        self.path, self.graph = path, read_file(path)
        self._order = _output_order(self.graph, specs, path)

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        """(N, H, W, 3) uint8 to de-quantised float32 NCHW outputs."""
        return [self._real(i, y) for i, y in zip(self._order, self.raw(pictures), strict=True)]

    def raw(self, pictures: np.ndarray) -> list[np.ndarray]:
        """The outputs as the device holds them: NHWC, int8 or float32."""
        fed = self._feed(pictures)
        outputs = self._run(fed)
        return [outputs[i] for i in self._order]

    @abstractmethod
    def _run(self, fed: np.ndarray) -> list[np.ndarray]:
        """All outputs in file order, N first."""

    def _feed(self, pictures: np.ndarray) -> np.ndarray:
        info = self.graph.tensors[self.graph.inputs[0]]
        if tuple(pictures.shape[1:]) != info.shape[1:]:
            raise ArtifactError(
                f"the file takes {info.shape[1:]}, the pictures are {pictures.shape[1:]}",
                where=str(self.path),
            )
        if info.dtype == np.float32:
            return pictures.astype(np.float32) / np.float32(255.0)
        if info.dtype != np.int8:
            raise ArtifactError(f"input of type {info.dtype}", where=str(self.path))
        scale, zero_point = params(info)
        if (scale, zero_point) == (_SCALE_IN, -128):
            return (pictures.astype(np.int16) - 128).astype(np.int8)
        return kernels.quantize_input(pictures / np.float32(255.0), scale, zero_point)

    def _real(self, position: int, y: np.ndarray) -> np.ndarray:
        info = self.graph.tensors[self.graph.outputs[position]]
        if info.dtype != np.float32:
            scale, zero_point = params(info)
            y = (y.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
        return np.ascontiguousarray(y.transpose(0, 3, 1, 2)) if y.ndim == 4 else y


class IntegerRunner(FileRunner):
    """Our executor."""

    def __init__(self, path: Path, specs: Sequence[OutputSpec]) -> None:
        super().__init__(path, specs)
        self._executor = IntegerExecutor(self.graph, str(path))

    def _run(self, fed: np.ndarray) -> list[np.ndarray]:
        return self._executor(fed)


class LitertRunner(FileRunner):
    """TensorFlow Lite's own runtime. ``reference``: its plain kernels instead of the fast ones."""

    def __init__(self, path: Path, specs: Sequence[OutputSpec], *, reference: bool) -> None:
        super().__init__(path, specs)
        self._interpreter = (reference_interpreter if reference else litert_interpreter)(
            path.read_bytes(), str(path)
        )

    def _run(self, fed: np.ndarray) -> list[np.ndarray]:
        results = []
        for picture in fed:
            self._interpreter.set_tensor(self.graph.inputs[0], picture[None])
            self._interpreter.invoke()
            results.append(
                [np.array(self._interpreter.get_tensor(o)) for o in self.graph.outputs]
            )
        return [np.concatenate(o) for o in zip(*results, strict=True)]


class TflmRunner(FileRunner):
    """TensorFlow Lite Micro, the code that runs on the device, compiled for this machine."""

    def __init__(self, path: Path, specs: Sequence[OutputSpec]) -> None:
        super().__init__(path, specs)
        if self.graph.external_buffers:
            raise ArtifactError(
                "constants lie behind the flatbuffer; the microcontroller interpreter "
                "does not look there and computes garbage",
                where=str(path),
                fix="write the file with edgectl export --backend tflite",
            )
        self._interpreter = tflm_interpreter(path)
        self._invoked = False

    def _run(self, fed: np.ndarray) -> list[np.ndarray]:
        results = []
        for picture in fed:
            self._interpreter.set_input(picture[None], 0)
            self._interpreter.invoke()
            self._invoked = True
            results.append(
                [np.array(self._interpreter.get_output(i)) for i in range(len(self.graph.outputs))]
            )
        return [np.concatenate(o) for o in zip(*results, strict=True)]

    @property
    def arena_bytes(self) -> int | None:  # type: ignore[override]
        """Bytes of tensor arena the interpreter took, by its own recording."""
        with captured_output() as text:
            self._interpreter.print_allocations()
        found = re.search(r"Arena allocation total (\d+) bytes", text())
        return int(found[1]) if found else None


def open_runner(path: Path, runtime: str, specs: Sequence[OutputSpec]) -> FileRunner:
    """Raises BackendUnavailableError when the runtime is not installed."""
    if runtime == "integer":
        return IntegerRunner(path, specs)
    if runtime == "tflm":
        return TflmRunner(path, specs)
    return LitertRunner(path, specs, reference=runtime == "litert-ref")


def litert_interpreter(content: bytes, where: str = "") -> Any:
    """LiteRT with its default (fast) kernels. Raises ArtifactError for a file it does not take."""
    return _litert(content, where, "AUTO")


def reference_interpreter(content: bytes, where: str = "") -> Any:
    """LiteRT with its reference kernels."""
    return _litert(content, where, "BUILTIN_REF")


def _litert(content: bytes, where: str, resolver: str) -> Any:
    try:
        with captured_output():
            from ai_edge_litert import interpreter as litert
    except ImportError as e:
        raise BackendUnavailableError(
            "LiteRT is not installed", fix="pip install ai-edge-litert"
        ) from e
    try:
        with captured_output():
            made = litert.Interpreter(
                model_content=content,
                num_threads=1,
                experimental_op_resolver_type=litert.OpResolverType[resolver],
            )
            made.allocate_tensors()
    except (ValueError, RuntimeError) as e:
        raise ArtifactError(f"LiteRT refuses the file: {e}", where=where or None) from e
    return made


def tflm_interpreter(path: Path) -> Any:
    """Doubles the arena until the model fits. Raises ArtifactError when it never does."""
    try:
        from tflite_micro import runtime
    except ImportError as e:
        raise BackendUnavailableError(
            "the microcontroller interpreter is not installed",
            fix="pip install 'edgectl-tflite[tflm]'",
        ) from e
    arena, reason = _ARENA_START, ""
    while arena <= _ARENA_LIMIT:
        with captured_output() as text:
            try:
                return runtime.Interpreter.from_file(str(path), arena_size=arena)
            except (RuntimeError, ValueError) as e:
                reason = (text().strip().splitlines() or [str(e)])[-1]
        if "arena" not in reason.lower() and "allocate" not in reason.lower():
            break
        arena *= 2
    raise ArtifactError(
        f"the microcontroller interpreter refuses the file: {reason}", where=str(path)
    )


@contextlib.contextmanager
def captured_output() -> Iterator[Any]:
    """Collects what native code writes to the process's stdout and stderr.

    Yields a function that returns the text so far. The interpreters log there by themselves; a
    user should not see it, and ``--json`` allows nothing else on stdout.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as sink:
        saved = [(fd, os.dup(fd)) for fd in (1, 2)]
        try:
            for fd, _ in saved:
                os.dup2(sink.fileno(), fd)

            def text() -> str:
                size = os.fstat(sink.fileno()).st_size
                return os.pread(sink.fileno(), size, 0).decode(errors="replace")

            yield text
        finally:
            for fd, copy in saved:
                os.dup2(copy, fd)
                os.close(copy)


def _output_order(graph: FileGraph, specs: Sequence[OutputSpec], path: Path) -> list[int]:
    """Position in the file of every wanted output."""
    names = graph.output_names()
    if all(s.name in names for s in specs):
        return [names.index(s.name) for s in specs]
    if len(names) != len(specs):
        raise ArtifactError(
            f"the file has the outputs {names}, expected {[s.name for s in specs]}",
            where=str(path),
        )
    return list(range(len(names)))
