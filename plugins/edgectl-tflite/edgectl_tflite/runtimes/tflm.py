"""The TensorFlow Lite Micro interpreter: the same C++ code a microcontroller runs.

Its packages are development builds for a few platforms: an extra, ``edgectl-tflite[tflm]``.
"""

from __future__ import annotations

import importlib
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgectl.errors import ArtifactError, BackendUnavailableError, UnsupportedOpError
from edgectl.quant.integer.limits import require_survivable
from edgectl_tflite.reader.modelfile import ModelFile
from edgectl_tflite.runtimes.native_log import NativeLog, native_log

_SMALLEST_ARENA = 1 << 16
_LARGEST_ARENA = 1 << 28
_BOOKKEEPING, _MULTIPLIER = 1 << 11, 16
"""Bytes an op with its tensors, and each scale, take beside the activations, generously."""
_TOTAL = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_NO_KERNEL = re.compile(r"Didn't find op for builtin opcode '(\w+)'")


@dataclass(frozen=True)
class ArenaUse:
    """Bytes, as the interpreter's own recorder reports them on this 64-bit machine.

    Attributes:
        total: what ``arena_size`` must be at least.
        activations: tensors and scratch buffers; the same on every machine.
        persistent: bookkeeping; about half as much where pointers have 32 bits.
    """

    total: int
    activations: int
    persistent: int


def load_tflm() -> Any:
    """The interpreter module. Raises BackendUnavailableError where it is not installed."""
    try:
        return importlib.import_module("tflite_micro").runtime
    except ImportError as e:
        raise BackendUnavailableError(
            "tflite-micro is not installed", fix="pip install 'edgectl-tflite[tflm]'"
        ) from e


class MicroInterpreter:
    """One file in the interpreter, in an arena that holds it; what it takes is reported exactly.

    Raises:
        BackendUnavailableError: the package is absent.
        ArtifactError: constants outside the flatbuffer, which it would read as garbage without a
            word, or a file it rejects or would not survive.
        UnsupportedOpError: an op the interpreter does not have.
    """

    def __init__(self, model: ModelFile) -> None:
        runtime = load_tflm()
        if model.external_buffers:
            raise ArtifactError(
                "constants lie outside the flatbuffer; TensorFlow Lite Micro would compute garbage",
                where=model.where,
                fix="write the file with its buffers inside, or use --runtime litert",
            )
        require_survivable(model)
        self._model = model
        self._interpreter = _allocate(runtime, model)

    def run(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """One array a model input, in its shape. Returns a copy of each output."""
        for i, x in enumerate(inputs):
            self._interpreter.set_input(x, i)
        try:
            with native_log() as log:
                self._interpreter.invoke()
        except RuntimeError as e:
            raise _rejected(self._model, log, e) from e
        count = len(self._model.outputs)
        return [np.array(self._interpreter.get_output(i)) for i in range(count)]

    def arena(self) -> ArenaUse:
        """Memory the file takes."""
        with native_log() as log:
            self._interpreter.print_allocations()
        found = {kind: int(size) for kind, size in _TOTAL.findall(log.text)}
        if len(found) != 3:
            raise ArtifactError(
                "the interpreter's memory report was not understood",
                where=self._model.where,
                fix="pip install 'edgectl-tflite[tflm]' installs the build this was written for",
            )
        return ArenaUse(found["total"], found["head"], found["tail"])


def first_arena(model: ModelFile) -> int:
    """Room for every activation at once. In an arena far too small the interpreter does not fail, it
    crashes: its error path reads the tensor it could not place."""
    activations = sum(math.prod(t.shape) for t in model.tensors if t.data is None)
    channels = sum(len(t.scales) for t in model.tensors)
    need = 4 * activations + _BOOKKEEPING * len(model.operations) + _MULTIPLIER * channels
    return min(_LARGEST_ARENA, max(_SMALLEST_ARENA, 1 << need.bit_length()))


def _allocate(runtime: Any, model: ModelFile) -> Any:
    size = first_arena(model)
    while True:
        try:
            with native_log() as log:
                return runtime.Interpreter.from_bytes(model.data, arena_size=size)
        except (RuntimeError, ValueError) as e:
            too_small = "allocate" in log.text or "resize buffer" in log.text
            if not too_small or _NO_KERNEL.search(log.text) or size >= _LARGEST_ARENA:
                raise _rejected(model, log, e) from e
            size *= 2


def _rejected(
    model: ModelFile, log: NativeLog, error: Exception
) -> ArtifactError | UnsupportedOpError:
    missing = _NO_KERNEL.search(log.text)
    if missing:
        return UnsupportedOpError(
            f"TensorFlow Lite Micro has no {missing[1]}",
            where=model.where,
            fix="use --runtime litert, or a network without it",
        )
    lines = [line.strip() for line in log.text.splitlines() if line.strip()]
    return ArtifactError(
        f"TensorFlow Lite Micro rejects the file: {lines[0] if lines else error}",
        where=model.where,
        fix="try --runtime litert; the device would reject it as well",
    )
