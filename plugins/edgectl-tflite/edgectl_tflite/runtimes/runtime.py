"""An exported file opened on one of its runtimes. See :class:`edgectl.backends.contract.Runner`.

litert      LiteRT's default kernels (XNNPACK), which requantize in float: elements may differ
litert-ref  LiteRT's reference kernels
tflm        the TensorFlow Lite Micro interpreter, what a microcontroller runs
integer     edgectl's exact executor; equal to tflm in every byte
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.limits import require_survivable
from edgectl.quant.integer.program import TensorRecord
from edgectl.spec import OutputSpec
from edgectl_tflite.reader.modelfile import ModelFile
from edgectl_tflite.runtimes.native_log import native_log
from edgectl_tflite.runtimes.tflm import MicroInterpreter


class FileRunner(ABC):
    """Feeds images the way the device does and reads the outputs in OutputSpec order.

    Args:
        specs: empty for a file without a manifest: outputs then come in the file's order.

    Raises:
        ArtifactError: a file that does not take one image, lacks an output, or makes the device's
            kernels abort.
    """

    arena_bytes: int | None = None

    def __init__(self, model: ModelFile, specs: Sequence[OutputSpec] = ()) -> None:
        if len(model.inputs) != 1:
            raise ArtifactError(f"{len(model.inputs)} inputs; one is expected", where=model.where)
        require_survivable(model)
        self._model = model
        self._specs = tuple(specs)
        self._input = model.tensors[model.inputs[0]]
        self._order = _output_order(model, specs)

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """images: uint8 (N, H, W, C). Returns float32 NCHW, other ranks as they are."""
        outputs = []
        for k, (i, y) in enumerate(zip(self._order, self.raw(images), strict=True)):
            real = dequantize(y, self._model.tensors[self._model.outputs[i]])
            stride = self._specs[k].stride if self._specs else 0
            if real.ndim == 3 and stride:
                real = self._unflatten(real, stride, images.shape[1:3])
            nchw = real.transpose(0, 3, 1, 2) if real.ndim == 4 else real
            outputs.append(np.ascontiguousarray(nchw))
        return outputs

    def _unflatten(self, rows: np.ndarray, stride: int, size: tuple[int, ...]) -> np.ndarray:
        """(N, cells, C), a row a cell in row-major order, to (N, height, width, C).

        A level whose stride does not divide the image ends in a cell that is cut off: strided
        convolutions with "same" padding round up.
        """
        height, width = (-(-n // stride) for n in size)
        if rows.shape[1] != height * width:
            raise ArtifactError(
                f"an output of {rows.shape[1]} rows; at stride {stride}, images of "
                f"{size[0]}x{size[1]} have {height}x{width} cells",
                where=self._model.where,
                fix="export the file without rows: --set backend.tflite.rows=false",
            )
        return rows.reshape(len(rows), height, width, -1)

    def raw(self, images: np.ndarray) -> list[np.ndarray]:
        """The bytes the device writes, NHWC, one array an output, in OutputSpec order."""
        x = device_input(images, self._input, self._model.where)
        outputs = self.execute(x)
        return [outputs[i] for i in self._order]

    @abstractmethod
    def execute(self, x: np.ndarray) -> list[np.ndarray]:
        """x: (N, ...) in the input's own type. Returns one (N, ...) array an output of the file."""


class LiteRtRunner(FileRunner):
    """LiteRT; ``reference`` selects the plain kernels instead of the fast ones.

    Raises BackendUnavailableError without ai-edge-litert, ArtifactError on a file it rejects.
    """

    def __init__(
        self, model: ModelFile, specs: Sequence[OutputSpec] = (), *, reference: bool = False
    ) -> None:
        super().__init__(model, specs)
        try:
            from ai_edge_litert import interpreter as litert
        except ImportError as e:
            raise BackendUnavailableError(
                "ai-edge-litert is not installed", fix="pip install edgectl-tflite"
            ) from e
        kinds = litert.OpResolverType
        try:
            # It announces its delegate on standard error.
            with native_log():
                self._interpreter = litert.Interpreter(
                    model_content=model.data,
                    experimental_op_resolver_type=kinds.BUILTIN_REF if reference else kinds.AUTO,
                )
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as e:
            raise ArtifactError(
                f"LiteRT rejects the file: {str(e).splitlines()[0]}", where=model.where
            ) from e

    def execute(self, x: np.ndarray) -> list[np.ndarray]:
        """Run the model on one batch of images."""

        def one(image: np.ndarray) -> list[np.ndarray]:
            self._interpreter.set_tensor(self._model.inputs[0], image)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(i) for i in self._model.outputs]

        return _one_by_one(x, one)


class TflmRunner(FileRunner):
    """The micro interpreter; ``arena_bytes`` is what its recorder measured."""

    def __init__(self, model: ModelFile, specs: Sequence[OutputSpec] = ()) -> None:
        super().__init__(model, specs)
        self._interpreter = MicroInterpreter(model)
        self.arena_bytes = self._interpreter.arena().total

    def execute(self, x: np.ndarray) -> list[np.ndarray]:
        """See :meth:`FileRunner.execute`."""
        return _one_by_one(x, lambda image: self._interpreter.run([image]))


class IntegerRunner(FileRunner):
    """The exact executor; refuses by name what it has no kernel for."""

    def __init__(self, model: ModelFile, specs: Sequence[OutputSpec] = ()) -> None:
        super().__init__(model, specs)
        if self._input.dtype != "int8":
            raise ArtifactError(
                f"the integer executor runs int8 files; this one takes {self._input.dtype}",
                where=model.where,
                fix="use --runtime litert",
            )
        self._executor = IntegerExecutor(model)

    def execute(self, x: np.ndarray) -> list[np.ndarray]:
        """Run the model on one batch of images."""
        return self._executor.run(x)


RUNTIMES: dict[str, Callable[[ModelFile, Sequence[OutputSpec]], FileRunner]] = {
    "litert": LiteRtRunner,
    "litert-ref": lambda model, specs: LiteRtRunner(model, specs, reference=True),
    "tflm": TflmRunner,
    "integer": IntegerRunner,
}


def device_input(images: np.ndarray, tensor: TensorRecord, where: str) -> np.ndarray:
    """What the firmware feeds: ``uint8 - 128`` into int8, ``pixel / 255`` into float."""
    if images.dtype != np.uint8 or images.shape[1:] != tensor.shape[1:]:
        raise ArtifactError(
            f"images are {images.dtype} {images.shape[1:]}, "
            f"the file takes {tensor.shape[1:]} (height, width, channels)",
            where=where,
            fix="resize the images to the file's input",
        )
    if tensor.dtype == "int8":
        return (images ^ 0x80).view(np.int8)
    if tensor.dtype == "uint8":
        return images
    if tensor.dtype == "float32":
        return images.astype(np.float32) / np.float32(255.0)
    raise ArtifactError(f"input of type {tensor.dtype}", where=where)


def dequantize(values: np.ndarray, tensor: TensorRecord) -> np.ndarray:
    """float32 real values."""
    if not tensor.scales:
        return values.astype(np.float32)
    centered = values.astype(np.float32) - np.float32(tensor.zero_points[0])
    return np.asarray(centered * np.float32(tensor.scales[0]))


def _one_by_one(x: np.ndarray, run: Callable[[np.ndarray], list[np.ndarray]]) -> list[np.ndarray]:
    """For interpreters whose batch is one."""
    results = [run(x[i : i + 1]) for i in range(len(x))]
    return [np.concatenate(parts) for parts in zip(*results, strict=True)]


def _output_order(model: ModelFile, specs: Sequence[OutputSpec]) -> list[int]:
    """Position in the file of each spec's output: by signature name, else as they come."""
    names = [model.label(i) for i in model.outputs]
    if not specs:
        return list(range(len(names)))
    if len(specs) != len(names):
        raise ArtifactError(
            f"{len(names)} outputs ({', '.join(names)}); the manifest names {len(specs)}",
            where=model.where,
            fix="evaluate the file together with the manifest it was exported with",
        )
    if {s.name for s in specs} == set(names):
        return [names.index(s.name) for s in specs]
    return list(range(len(names)))
