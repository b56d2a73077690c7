"""The tflite backend. See :class:`edgectl.backends.contract.Backend`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import ModelMemory, WriteRequest
from edgectl.backends.cost import Profile
from edgectl.backends.heads import append_activations, is_cells
from edgectl.errors import (
    ArtifactError,
    BackendUnavailableError,
    UnknownNameError,
    UnsupportedOpError,
    UsageError,
)
from edgectl.escape.terminal import lines
from edgectl.plugins.info import BoardInfo
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.integer.capabilities import check_graph
from edgectl.quant.integer.limits import require_portable
from edgectl.quant.integer.program import TensorRecord
from edgectl.quant.integer.scheme import SCHEME
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.stand_in import stand_in
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl_tflite.board import package
from edgectl_tflite.board.deploy import reserved, write_board_files
from edgectl_tflite.config import TfliteConfig
from edgectl_tflite.ethosu import upload
from edgectl_tflite.reader.cost import cost
from edgectl_tflite.reader.liveness import peak_report
from edgectl_tflite.reader.modelfile import ModelFile, parse_model, read_model
from edgectl_tflite.runtimes.runtime import RUNTIMES, FileRunner
from edgectl_tflite.runtimes.tflm import MicroInterpreter
from edgectl_tflite.writer.split import split_expansions
from edgectl_tflite.writer.write import write_model


class TfliteBackend:
    """Stateless."""

    config_type: ClassVar[type[TfliteConfig]] = TfliteConfig

    def scheme(self, config: TfliteConfig) -> QuantScheme:
        """Affine int8 activations, per-channel symmetric weights."""
        return SCHEME

    def check(self, graph: QuantGraph) -> list[str]:
        """List every operation the device cannot run
        (:func:`edgectl.quant.integer.capabilities.check_graph`)."""
        return check_graph(graph)

    def prepare(
        self, graph: QuantGraph, specs: Sequence[OutputSpec], config: TfliteConfig
    ) -> tuple[QuantGraph, tuple[OutputSpec, ...]]:
        """See :func:`edgectl.backends.heads.append_activations`."""
        return append_activations(graph, specs, config.append_activation)

    def write(self, request: WriteRequest[TfliteConfig]) -> list[Path]:
        """``model.tflite`` and ``labels.txt`` (one class a line).

        Raises:
            ArtifactError: an op the device cannot run, or a scale its kernel does not survive.
        """
        graph, config = request.graph, request.config
        if isinstance(graph, QuantizedGraph) and config.split == "auto":
            graph = split_expansions(graph)
        model = request.directory / "model.tflite"
        names = [spec.name for spec in request.outputs]
        rows = [
            spec.name
            for spec in request.outputs
            if config.rows and spec.stride and not is_cells(spec)
        ]
        data = write_model(
            graph, names, f"edgectl {request.precision}", rows=rows, classes=request.classes
        )
        require_portable(parse_model(data, model))
        model.write_bytes(data)
        labels = request.directory / "labels.txt"
        labels.write_text(lines(request.classes), encoding="utf-8")
        return [model, labels]

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> FileRunner:
        """Open the model file on a runtime (:mod:`edgectl_tflite.runtimes.runtime`). Raises
        UnknownNameError on another runtime."""
        if runtime not in RUNTIMES:
            raise UnknownNameError("runtime", runtime, RUNTIMES, where="--runtime")
        return RUNTIMES[runtime](read_model(model_file), specs)

    def deploy(
        self,
        artifact: Path,
        manifest: Manifest,
        board: BoardInfo,
        directory: Path,
        *,
        converted: Path | None,
    ) -> None:
        """Add what a board needs beside the model (:mod:`edgectl_tflite.board.deploy`). Raises
        UsageError for a converted archive, and for a file that is not int8."""
        if converted is not None:
            raise UsageError(
                f"{board.name} takes the file as it is; no online converter is involved",
                where="--converted",
            )
        if manifest.precision != "int8":
            raise UsageError(
                f"{board.name} is fed int8; this file is {manifest.precision}",
                where=str(artifact),
                fix="edgectl export --backend tflite --precision int8",
            )
        model = artifact / manifest.model
        ops = sorted({op.name for op in read_model(model).operations})
        write_board_files(model, directory, ops=ops, ram_bytes=manifest.tensors.ram_bytes)
        if upload.has_ethos_u(board):
            upload.write_compiled(model.read_bytes(), board, directory)

    def memory_on(self, model_file: Path, board: BoardInfo) -> ModelMemory | None:
        """See :class:`edgectl.backends.contract.BoardCompiler`."""
        if not upload.has_ethos_u(board):
            return None
        return upload.memory_of(read_model(model_file).data, board)

    def board_guide(self, board: BoardInfo, directory: Path) -> str:
        """See :class:`edgectl.backends.contract.BoardCompiler`."""
        return upload.write_guide(board, directory) if upload.has_ethos_u(board) else ""

    def plan_memory(
        self,
        graph: QuantGraph,
        outputs: Sequence[OutputSpec],
        config: TfliteConfig,
        board: BoardInfo,
    ) -> ModelMemory:
        """See :class:`edgectl.backends.contract.MemoryPlanner`."""
        quantized = stand_in(graph, SCHEME)
        if config.split == "auto":
            quantized = split_expansions(quantized)
        data = write_model(quantized, [spec.name for spec in outputs], "edgectl int8")
        if upload.has_ethos_u(board):
            return upload.memory_of(data, board)
        _, ram = _arena(parse_model(data))
        return ModelMemory(ram.get("ram_bytes"), len(data), ram.get("ram_unknown"))

    def read_program(self, model_file: Path) -> ModelFile:
        """See :class:`edgectl.backends.contract.ProgramReader`."""
        return read_model(model_file)

    def cost(self, model_file: Path, input_size: Size | None) -> Profile:
        """Compute the cost layer by layer (:func:`edgectl_tflite.reader.cost.cost`); a file states its
        sizes."""
        return cost(read_model(model_file))

    def describe(self, model_file: Path) -> dict[str, Any]:
        """Facts of any .tflite file.

        ``inputs``, ``outputs``: name, shape, dtype, scale, zero_point; ``ops``: name, version,
        count; ``arena_bytes`` and its parts in ``arena``: what the micro interpreter takes, None
        where it is absent or cannot run the file; ``ram_bytes``: what the firmware sets aside for that,
        or ``ram_unknown``: why it is not known; ``peak``: the ops with most activation bytes alive, and
        which tensors those are.
        """
        model = read_model(model_file)
        arena, ram = _arena(model)
        return {
            "file_bytes": len(model.data),
            **_tensors(model),
            "arena_bytes": None if arena is None else arena["total"],
            "arena": arena,
            **ram,
            "peak": peak_report(model),
        }

    def example(self, manifest: Manifest) -> str:
        """Open the file on LiteRT (:mod:`edgectl_tflite.board.package`)."""
        return package.example(manifest)

    def usage(self, manifest: Manifest) -> str:
        """Explain how to run the artifact on the device (:mod:`edgectl_tflite.board.package`)."""
        return package.usage(manifest)


def _tensors(model: ModelFile) -> dict[str, Any]:
    """``inputs``, ``outputs`` and ``ops`` of :meth:`TfliteBackend.describe`."""
    counts = Counter((op.name, op.version) for op in model.operations)
    return {
        "inputs": [_tensor(model, model.tensors[i]) for i in model.inputs],
        "outputs": [_tensor(model, model.tensors[i]) for i in model.outputs],
        "ops": [
            {"name": name, "version": version, "count": count}
            for (name, version), count in sorted(counts.items())
        ],
    }


def _tensor(model: ModelFile, tensor: TensorRecord) -> dict[str, Any]:
    return {
        "name": model.label(tensor.index),
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scales[0] if tensor.scales else None,
        "zero_point": tensor.zero_points[0] if tensor.zero_points else None,
    }


def _arena(model: ModelFile) -> tuple[dict[str, int] | None, dict[str, Any]]:
    """Its parts, and what follows for a board's RAM."""
    try:
        use = MicroInterpreter(model).arena()
    except BackendUnavailableError as e:
        return None, {"ram_unknown": f"{e.message} ({e.fix}, then export again)"}
    except (ArtifactError, UnsupportedOpError) as e:
        return None, {"ram_unknown": e.message}
    return asdict(use), {"ram_bytes": reserved(use.total)}
