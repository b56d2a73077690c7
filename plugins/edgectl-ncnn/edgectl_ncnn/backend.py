"""The ncnn backend. See :class:`edgectl.backends.contract.Backend`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import WriteRequest
from edgectl.backends.cost import Profile
from edgectl.errors import BackendUnavailableError, UnknownNameError, UsageError
from edgectl.escape.terminal import lines
from edgectl.plugins.info import BoardInfo
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.spec import OutputSpec, PreprocessSpec, Size
from edgectl_ncnn.board import package
from edgectl_ncnn.board.deploy import write_project
from edgectl_ncnn.capabilities import check_graph
from edgectl_ncnn.config import NcnnConfig
from edgectl_ncnn.reader.cost import cost
from edgectl_ncnn.reader.modelfile import ModelFile, read_model, write_model
from edgectl_ncnn.runtimes.runtime import NcnnRunner
from edgectl_ncnn.scheme import scheme
from edgectl_ncnn.writer.table import calibration_table
from edgectl_ncnn.writer.write import build_model

RUNTIME = "ncnn"


class NcnnBackend:
    """Stateless."""

    config_type: ClassVar[type[NcnnConfig]] = NcnnConfig

    def scheme(self, config: NcnnConfig) -> QuantScheme:
        """Symmetric, per-channel weights; convolutions round what they read."""
        return scheme(float_depthwise=config.depthwise == "float")

    def check(self, graph: QuantGraph) -> list[str]:
        """List every operation the device cannot run (:func:`edgectl_ncnn.capabilities.check_graph`)."""
        return check_graph(graph)

    def prepare(
        self, graph: QuantGraph, specs: Sequence[OutputSpec], config: NcnnConfig
    ) -> tuple[QuantGraph, tuple[OutputSpec, ...]]:
        """Nothing to rewrite: heads stay raw, the host applies their activation in float."""
        return graph, tuple(specs)

    def write(self, request: WriteRequest[NcnnConfig]) -> list[Path]:
        """``model.param``, ``model.bin``, ``labels.txt``; with int8 the calibration table.

        Raises:
            ArtifactError: a weight that does not fit fp16.
        """
        names = [s.name for s in request.outputs]
        model = build_model(request.graph, names, half=request.precision == "fp16")
        files = write_model(model, request.directory / "model.param")
        if request.precision == "int8":
            table = request.directory / "model.table"
            table.write_text(calibration_table(model), encoding="ascii")
            files.append(table)
        labels = request.directory / "labels.txt"
        labels.write_text(lines(request.classes), encoding="utf-8")
        return [*files, labels]

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> NcnnRunner:
        """Open the model file on a runtime (:mod:`edgectl_ncnn.runtimes.runtime`). Raises
        UnknownNameError on another runtime."""
        if runtime != RUNTIME:
            raise UnknownNameError("runtime", runtime, [RUNTIME], where="--runtime")
        return NcnnRunner(model_file, specs, preprocess)

    def describe(self, model_file: Path) -> dict[str, Any]:
        """Facts of any ``.param`` with its ``.bin``.

        ``inputs``, ``outputs``: name, shape, dtype; ``ops``: layer type, count, and how many of them
        compute with integers; ``parameters``; ``files`` and their ``file_bytes`` together.
        """
        model = read_model(model_file)
        files = [model_file, model_file.with_suffix(".bin")]
        counts = Counter(layer.type for layer in model.layers)
        integer = Counter(layer.type for layer in model.layers if layer.integer(8))
        shapes = _shapes(model_file, model)
        return {
            "files": [f.name for f in files],
            "file_bytes": sum(f.stat().st_size for f in files),
            "parameters": model.parameters,
            "inputs": [_tensor(n, shapes) for n in model.inputs],
            "outputs": [_tensor(n, shapes) for n in model.outputs],
            "ops": [
                {"name": name, "count": count, "int8": integer[name]}
                for name, count in sorted(counts.items())
            ],
        }

    def deploy(
        self,
        artifact: Path,
        manifest: Manifest,
        board: BoardInfo,
        directory: Path,
        *,
        converted: Path | None,
    ) -> None:
        """Add what a board needs beside the model (:mod:`edgectl_ncnn.board.deploy`). Raises UsageError
        for a converted archive."""
        if converted is not None:
            raise UsageError(f"{board.name} takes the files as they are", where="--converted")
        write_project(manifest, directory)

    def cost(self, model_file: Path, input_size: Size | None) -> Profile:
        """Compute the cost layer by layer (:func:`edgectl_ncnn.reader.cost.cost`)."""
        return cost(model_file, input_size)

    def usage(self, manifest: Manifest) -> str:
        """Explain how to run the artifact on the device (:mod:`edgectl_ncnn.board.package`)."""
        return package.usage(manifest)


def _tensor(name: str, shapes: Mapping[str, list[int]]) -> dict[str, Any]:
    return {"name": name, "shape": shapes.get(name), "dtype": "float32"}


def _shapes(path: Path, model: ModelFile) -> dict[str, list[int]]:
    """CHW shapes of inputs and outputs, where the file says its input size and ncnn is installed."""
    (width, height, channels) = next(
        tuple(layer.integer(k) for k in (0, 1, 2))
        for layer in model.layers
        if layer.type == "Input"
    )
    if len(model.inputs) != 1 or not width * height * channels:
        return {}
    shape = [channels, height, width]
    try:
        outputs = NcnnRunner(path).run(np.zeros(shape, np.float32))
    except BackendUnavailableError:
        return {model.inputs[0]: shape}
    found = {n: list(o.shape) for n, o in zip(model.outputs, outputs, strict=True)}
    return {model.inputs[0]: shape, **found}
