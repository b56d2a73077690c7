"""The c backend. See :class:`edgectl.backends.contract.Backend`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import BoardProgram, ModelMemory, WriteRequest
from edgectl.backends.heads import append_activations
from edgectl.errors import ArtifactError, UnknownNameError, UsageError
from edgectl.escape.terminal import lines
from edgectl.plugins.info import BoardInfo
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.integer.capabilities import check_graph
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.limits import require_survivable
from edgectl.quant.integer.lower import lower_graph
from edgectl.quant.integer.program import Program
from edgectl.quant.integer.scheme import SCHEME
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.stand_in import stand_in
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_c.code.model import write_source
from edgectl_c.config import CConfig
from edgectl_c.device.verify import Verification
from edgectl_c.facts import facts
from edgectl_c.modelfile import CODE, Library, read_library, require_same, write_library
from edgectl_c.package import usage
from edgectl_c.program.project import write_project
from edgectl_c.program.texts import write_texts
from edgectl_c.runtimes.compiled import CompiledLibrary
from edgectl_c.runtimes.runner import LibraryRunner

_RUNTIMES = ("c", "integer")


class CBackend:
    """Stateless."""

    config_type: ClassVar[type[CConfig]] = CConfig
    device_file = CODE

    def scheme(self, config: CConfig) -> QuantScheme:
        """Affine int8 activations, per-channel symmetric weights."""
        return SCHEME

    def check(self, graph: QuantGraph) -> list[str]:
        """List every operation the device cannot run
        (:func:`edgectl.quant.integer.capabilities.check_graph`)."""
        return check_graph(graph)

    def prepare(
        self, graph: QuantGraph, specs: Sequence[OutputSpec], config: CConfig
    ) -> tuple[QuantGraph, tuple[OutputSpec, ...]]:
        """See :func:`edgectl.backends.heads.append_activations`."""
        return append_activations(graph, specs, config.append_activation)

    def write(self, request: WriteRequest[CConfig]) -> list[Path]:
        """``model.c``, ``model.h``, ``model.npz`` and ``labels.txt`` (one class a line).

        Raises:
            ArtifactError: an op there is no C for, or a scale its kernel does not survive.
        """
        if not isinstance(request.graph, QuantizedGraph):
            raise ArtifactError("the C library computes in int8", fix="--precision int8")
        program = lower_graph(request.graph, [spec.name for spec in request.outputs])
        files = self.write_program(program, request.directory, request.config)
        labels = request.directory / "labels.txt"
        labels.write_text(lines(request.classes), encoding="utf-8")
        return [*files, labels]

    def write_program(self, program: Program, directory: Path, config: CConfig) -> list[Path]:
        """See :class:`edgectl.backends.contract.ProgramWriter`."""
        require_survivable(program)
        return write_library(Library(program, config.input == "rows"), directory)

    def read_program(self, model_file: Path) -> Program:
        """See :class:`edgectl.backends.contract.ProgramReader`."""
        return read_library(model_file).program

    def deploy(
        self,
        artifact: Path,
        manifest: Manifest,
        board: BoardInfo,
        directory: Path,
        *,
        converted: Path | None,
    ) -> None:
        """Everything is in the program that :meth:`write_board_program` writes. Raises UsageError for a
        converted archive."""
        if converted is not None:
            raise UsageError(
                f"{board.name} takes the files as they are; no online converter is involved",
                where="--converted",
            )

    def write_board_program(self, request: BoardProgram, directory: Path) -> Path:
        """See :class:`edgectl.backends.contract.BoardProgrammer`. A library that lies there already keeps
        its layout; else the camera hands rows, which takes least memory."""
        model = directory / CODE
        if model.is_file():
            library = read_library(model)
        else:
            require_survivable(request.program)
            library = Library(request.program, camera_rows=True)
            write_library(library, directory)
        plan = library.plan()
        source = write_source(plan)
        texts = write_texts(library.program, source, request.manifest, request.images)
        write_project(texts, plan, request.manifest, request.board, directory)
        return model

    def plan_memory(
        self, graph: QuantGraph, outputs: Sequence[OutputSpec], config: CConfig, board: BoardInfo
    ) -> ModelMemory:
        """See :class:`edgectl.backends.contract.MemoryPlanner`."""
        program = lower_graph(stand_in(graph, SCHEME), [spec.name for spec in outputs])
        plan = Library(program, config.input == "rows").plan()
        found = facts(plan, write_source(plan))
        return ModelMemory(found["ram_bytes"], found["flash_bytes"])

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> LibraryRunner:
        """Open the model file on a runtime (:mod:`edgectl_c.runtimes.runner`). Raises UnknownNameError
        on another runtime."""
        if runtime not in _RUNTIMES:
            raise UnknownNameError("runtime", runtime, _RUNTIMES, where="--runtime")
        library = read_library(model_file)
        if runtime == "integer":
            return LibraryRunner(library.program, IntegerExecutor(library.program), None)
        plan = library.plan()
        source = write_source(plan)
        require_same(model_file, source)
        compiled = CompiledLibrary(library.program, source)
        return LibraryRunner(library.program, compiled, plan.arena_bytes)

    def describe(self, model_file: Path) -> dict[str, Any]:
        """Facts of a library.

        ``inputs``, ``outputs``: name, shape, dtype, scale, zero_point; ``ops``: name, count; ``arena_bytes``
        and its parts in ``arena``; ``ram_bytes``, ``flash_bytes``: what it takes of a device, see
        :func:`edgectl_c.facts.facts`.
        """
        library = read_library(model_file)
        plan = library.plan()
        source = write_source(plan)
        require_same(model_file, source)
        counts = Counter(op.name for op in library.program.operations)
        return {
            **facts(plan, source),
            "ops": [{"name": name, "count": count} for name, count in sorted(counts.items())],
        }

    def verification(self, model_file: Path, images: np.ndarray) -> Verification:
        """See :class:`edgectl.backends.device.DeviceVerifier`."""
        return Verification(model_file, images)

    def usage(self, manifest: Manifest) -> str:
        """Explain how to run the artifact on the device (:mod:`edgectl_c.package`)."""
        return usage(manifest)
