"""What a hardware backend provides, and what it is handed. Structural types: nothing to inherit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from pydantic import BaseModel

    from edgectl.artifacts.manifest import Manifest
    from edgectl.backends.cost import Profile
    from edgectl.backends.network import Network, Plan
    from edgectl.plugins.info import BoardInfo
    from edgectl.quant.graph.quant_graph import QuantGraph
    from edgectl.quant.integer.program import Program
    from edgectl.quant.quantized import QuantizedGraph
    from edgectl.quant.ranges.scheme import QuantScheme
    from edgectl.spec import OutputSpec, PreprocessSpec, Size


C = TypeVar("C")


@dataclass(frozen=True)
class WriteRequest(Generic[C]):
    """What :meth:`Backend.write` turns into files. ``C``: the backend's configuration.

    Attributes:
        graph: as ``prepare`` left it; quantized where ``precision`` is int8.
        directory: where to write: fresh, under a temporary name, renamed when the artifact is whole.
        outputs: one spec an output of the graph, in its order.
        preprocess: of the trained network. A graph that takes pixel / 255 (``BackendInfo.input`` is
            "unit") holds the normalization already.
        classes: names, in the order of the class channels.
        precision: one of ``BackendInfo.precisions``.
    """

    graph: QuantizedGraph | QuantGraph
    directory: Path
    outputs: tuple[OutputSpec, ...]
    preprocess: PreprocessSpec
    classes: tuple[str, ...]
    precision: str
    config: C


class Runner(Protocol):
    """An artifact opened on one runtime."""

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """images: (N, H, W, C) uint8, resized and padded, channels in the spec's order.
        Returns one float32 NCHW array an output, de-quantized, in OutputSpec order."""
        ...

    arena_bytes: int | None


class ArtifactReader(Protocol):
    """What every backend can do with files of its kind."""

    config_type: type[BaseModel]
    """Strict pydantic model of the ``[backend.NAME]`` table."""

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> Runner:
        """Opens a file on a runtime.

        Args:
            specs: of the file's outputs; empty for a file that edgectl did not write.
            preprocess: None for a file that edgectl did not write: then it is only timed.

        Raises BackendUnavailableError when the runtime is absent, ArtifactError on a bad file."""
        ...

    def describe(self, model_file: Path) -> dict[str, Any]:
        """Facts for the manifest, plain values: the fields of :class:`edgectl.artifacts.manifest.Tensors`
        (inputs, outputs, files, RAM, ...), and beside them what only this backend can say, which later
        stands in ``manifest.tensors.facts``."""
        ...

    def usage(self, manifest: Manifest) -> str:
        """Markdown: how to run this artifact on the device. Asked before the file is scored."""
        ...


class Backend(ArtifactReader, Protocol):
    """A hardware backend: a writer and the runtimes that judge what was written."""

    def scheme(self, config: Any) -> QuantScheme:
        """The arithmetic core calibrates and trains in."""
        ...

    def check(self, graph: QuantGraph) -> list[str]:
        """Every op the device cannot run, with the module's path and the replacement. Empty: fine."""
        ...

    def prepare(
        self, graph: QuantGraph, specs: Sequence[OutputSpec], config: Any
    ) -> tuple[QuantGraph, tuple[OutputSpec, ...]]:
        """Device-specific rewrite before calibration (for example: append output activations).
        The input graph already takes the lowered input (see ``BackendInfo.input``)."""
        ...

    def write(self, request: WriteRequest[Any]) -> list[Path]:
        """Writes the files into ``request.directory`` and returns them, the model file first.

        Raises ArtifactError for a graph that the format cannot hold."""
        ...


class VendorBackend(ArtifactReader, Protocol):
    """A backend whose vendor's compiler takes a float ONNX file and quantizes it itself.

    ``open`` is never asked for the runtime ``onnxruntime``, which is core's; ``describe`` is asked of the
    compiler's product only; in ``usage``, ``manifest.built`` tells whether that product is there.
    """

    def opset(self, config: Any, *, precision: str) -> int:
        """Choose the opset of the ONNX file that its compiler reads best."""
        ...

    def check(self, network: Network, *, precision: str, config: Any) -> list[str]:
        """What the compiler would refuse, before it is called: each op with the module's path
        (:func:`edgectl.backends.network.module_of`) and the replacement. Empty: fine.

        Raises UsageError for a configuration no compiler would take (a chip nobody makes)."""
        ...

    def plan(self, network: Network, directory: Path, *, precision: str, config: Any) -> Plan:
        """Writes what the compiler needs into ``directory``, which already holds ``network.file``."""
        ...


@runtime_checkable
class Balanced(VendorBackend, Protocol):
    """One whose compiler profits from a network rewritten for int8, computing the same."""

    def scheme(self, config: Any) -> QuantScheme:
        """The compiler's arithmetic, as far as it is known."""
        ...


@runtime_checkable
class Remarker(Protocol):
    """A backend that has something to say about a network it can convert."""

    def remarks(self, graph: QuantGraph) -> list[str]:
        """Lines to show before the conversion: ops that run, but not where one would wish."""
        ...


@runtime_checkable
class Packager(Protocol):
    """A backend whose int8 artifact holds more than its model, made from calibration images."""

    def package(
        self,
        directory: Path,
        *,
        graph: QuantGraph,
        images: Iterable[np.ndarray],
        preprocess: PreprocessSpec,
        config: Any,
    ) -> list[Path]:
        """Adds files to ``directory``, after ``write``.

        Args:
            graph: the float graph that was quantized.
            images: uint8 (N, H, W, C) batches, resized, in the spec's channel order.
        """
        ...


@runtime_checkable
class Exemplified(Protocol):
    """A backend whose files run in Python, so that an artifact's README can show a whole program."""

    def example(self, manifest: Manifest) -> str:
        """Python that defines ``run(pixels)``: uint8 (rows, columns, channels), resized, in the spec's
        channel order, to {output: float32 (C, rows, columns) or (C,)}, raw numbers. ``numpy`` is ``np``."""
        ...


@runtime_checkable
class Deployer(Protocol):
    """A backend that writes what a board needs beside the model files."""

    def deploy(
        self,
        artifact: Path,
        manifest: Manifest,
        board: BoardInfo,
        directory: Path,
        *,
        converted: Path | None,
    ) -> None:
        """Adds code and settings to ``directory``, which holds copies of the model files.

        Args:
            converted: an archive from the vendor's converter that replaces them; UsageError where
                there is no such converter.
        """
        ...


@dataclass(frozen=True)
class ModelMemory:
    """What a model takes of a device. ``ram_bytes`` is None where nobody can tell; ``ram_unknown`` then says
    why. ``note``: what the compiler that decided on it has to say, for people."""

    ram_bytes: int | None
    flash_bytes: int
    ram_unknown: str | None = None
    note: str = ""


@runtime_checkable
class MemoryPlanner(Protocol):
    """A backend that knows what a network will take of a board before it is trained."""

    def plan_memory(
        self,
        graph: QuantGraph,
        outputs: Sequence[OutputSpec],
        config: Any,
        board: BoardInfo,
    ) -> ModelMemory:
        """Lays out the int8 network as ``write`` would; weights and ranges may be any.

        Args:
            graph: as ``prepare`` left it.

        Raises:
            ArtifactError: an op the device cannot run.
            BackendUnavailableError: a compiler that decides on it is not there.
        """
        ...


@runtime_checkable
class BoardCompiler(Protocol):
    """A backend whose files some boards take only from another compiler."""

    def memory_on(self, model_file: Path, board: BoardInfo) -> ModelMemory | None:
        """What the compiled file takes; None where the board takes the file as it is.

        Raises:
            BackendUnavailableError: the compiler is not there, with the remedy.
            ToolError, ArtifactError: it failed.
        """
        ...

    def board_guide(self, board: BoardInfo, directory: Path) -> str:
        """Markdown for a bundle's README: what was compiled into ``directory``, how it gets onto the board.
        Empty where there is nothing to say."""
        ...


@runtime_checkable
class ProgramReader(Protocol):
    """A backend whose int8 files are op lists in the arithmetic of :mod:`edgectl.quant.integer`."""

    def read_program(self, model_file: Path) -> Program:
        """Of a file another program may have written. Raises ArtifactError."""
        ...


@runtime_checkable
class ProgramWriter(Protocol):
    """A backend that writes such an op list, wherever it comes from."""

    def write_program(self, program: Program, directory: Path, config: Any) -> list[Path]:
        """Model files into ``directory``; the model file first.

        Raises:
            UnsupportedOpError: an op, or a use of one, it cannot write, by name.
        """
        ...


@dataclass(frozen=True)
class BoardProgram:
    """What a whole program for a microcontroller is made of.

    Attributes:
        program: the network's integers.
        manifest: of the artifact they are from.
        images: uint8 (N, H, W, C), at least one: what the program tests itself with.
    """

    program: Program
    manifest: Manifest
    board: BoardInfo
    images: np.ndarray


@runtime_checkable
class BoardProgrammer(ArtifactReader, ProgramWriter, Protocol):
    """A backend that writes a program around an op list: camera to results, with a test of itself."""

    def write_board_program(self, request: BoardProgram, directory: Path) -> Path:
        """Adds sources, projects and a README to ``directory``, which holds copies of the artifact's model
        files. Returns the model file, which the backend can describe and open.

        Raises:
            UnsupportedOpError: an op there is no code for.
        """
        ...


@runtime_checkable
class CostReader(Protocol):
    """A backend that can say what a file of its kind costs."""

    def cost(self, model_file: Path, input_size: Size | None) -> Profile:
        """Layer by layer, at the precision the file computes in.

        ``input_size``: for files that state none. Raises ArtifactError.
        """
        ...
