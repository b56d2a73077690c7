"""The awnn backend. See :class:`edgectl.backends.contract.Backend`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import WriteRequest
from edgectl.errors import UnknownNameError, UsageError
from edgectl.escape.terminal import lines
from edgectl.plugins.info import BoardInfo
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_ncnn.awnn import capabilities, fields, package
from edgectl_ncnn.awnn.config import AwnnConfig
from edgectl_ncnn.awnn.deploy import write_board_files
from edgectl_ncnn.awnn.grid import on_grid
from edgectl_ncnn.awnn.integer import Simulator
from edgectl_ncnn.awnn.maixhub import write_package
from edgectl_ncnn.awnn.rewrite import symmetric_borders
from edgectl_ncnn.awnn.runtime import SimulatorRunner
from edgectl_ncnn.awnn.scheme import scheme
from edgectl_ncnn.awnn.write import build_model
from edgectl_ncnn.reader.modelfile import ModelFile, read_model, write_model

RUNTIME = "simulator"


class AwnnBackend:
    """Stateless."""

    config_type: ClassVar[type[AwnnConfig]] = AwnnConfig

    def scheme(self, config: AwnnConfig) -> QuantScheme:
        """Return the arithmetic the graph is calibrated in (:mod:`edgectl_ncnn.awnn.scheme`)."""
        return scheme(per_channel=config.weights == "per_channel")

    def check(self, graph: QuantGraph) -> list[str]:
        """Ops without a known kernel. See :func:`edgectl_ncnn.awnn.capabilities.check_graph`."""
        return capabilities.check_graph(graph)

    def remarks(self, graph: QuantGraph) -> list[str]:
        """Ops that run on the CPU."""
        return capabilities.remarks(graph)

    def prepare(
        self, graph: QuantGraph, specs: Sequence[OutputSpec], config: AwnnConfig
    ) -> tuple[QuantGraph, tuple[OutputSpec, ...]]:
        """Equal borders on all sides; heads stay raw, the host applies their activation."""
        return symmetric_borders(graph), tuple(specs)

    def write(self, request: WriteRequest[AwnnConfig]) -> list[Path]:
        """``model_int8.param`` and ``.bin``, ``model_int8.mud``, ``labels.txt``.

        Raises:
            ArtifactError: an op without a kernel.
        """
        graph = request.graph
        if not isinstance(graph, QuantizedGraph):
            raise UsageError("awnn files are int8", where="--precision", fix="--precision int8")
        model = build_model(on_grid(graph) if request.config.grid else graph)
        files = write_model(model, request.directory / "model_int8.param")
        shapes = [_whc(graph.graph[o].shape[1:]) for o in graph.graph.outputs]
        mud = request.directory / "model_int8.mud"
        mud.write_text(package.mud(files[0].name, request.preprocess, shapes), encoding="ascii")
        labels = request.directory / "labels.txt"
        labels.write_text(lines(request.classes), encoding="utf-8")
        return [*files, mud, labels]

    def package(
        self,
        directory: Path,
        *,
        graph: QuantGraph,
        images: Iterable[np.ndarray],
        preprocess: PreprocessSpec,
        config: AwnnConfig,
    ) -> list[Path]:
        """``maixhub.zip``, the input of the online converter."""
        path = directory / "maixhub.zip"
        return [write_package(path, graph, images, preprocess, config.maixhub_images)]

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> SimulatorRunner:
        """Open the model file on a runtime (:mod:`edgectl_ncnn.awnn.runtime`). Raises UnknownNameError on
        another runtime."""
        if runtime != RUNTIME:
            raise UnknownNameError("runtime", runtime, [RUNTIME], where="--runtime")
        return SimulatorRunner(model_file, specs, preprocess)

    def describe(self, model_file: Path) -> dict[str, Any]:
        """Facts of an int8 file.

        ``inputs``, ``outputs``: name, dtype, scale (127 / threshold), ``whc``: width, height,
        channels; ``ops``: layer type, count, and how many of them run on the CPU; ``parameters``;
        ``files`` and their ``file_bytes`` together.
        """
        model = read_model(model_file, layout=fields.layout)
        files = [model_file, model_file.with_suffix(".bin")]
        layers = [layer for layer in model.layers if layer.type not in ("Input", "Split")]
        counts = Counter(layer.type for layer in layers)
        cpu = Counter(layer.type for layer in layers if not fields.on_npu(layer))
        simulator = Simulator(model)
        height, width, channels = simulator.input_shape
        zeros = np.zeros((1, channels, height, width), np.float32)
        shapes = {n: y.shape[1:] for n, y in simulator.run(zeros).items()}
        (source,) = model.inputs
        shapes[source] = (channels, height, width)
        return {
            "files": [f.name for f in files],
            "file_bytes": sum(f.stat().st_size for f in files),
            "parameters": model.parameters,
            "inputs": [_tensor(model, source, shapes)],
            "outputs": [_tensor(model, n, shapes) for n in model.outputs],
            "ops": [{"name": n, "count": c, "cpu": cpu[n]} for n, c in sorted(counts.items())],
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
        """Add what a board needs beside the model (:mod:`edgectl_ncnn.awnn.deploy`)."""
        write_board_files(manifest, directory, converted=converted)

    def usage(self, manifest: Manifest) -> str:
        """Explain how to run the artifact on the device (:mod:`edgectl_ncnn.awnn.package`)."""
        return package.usage(manifest)


def _whc(shape: Sequence[int]) -> tuple[int, int, int]:
    """(C, H, W) or (C,) as the board's runtime writes shapes."""
    channels, height, width = (*shape, 1, 1)[:3]
    return width, height, channels


def _tensor(model: ModelFile, name: str, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    layer = next(layer for layer in model.layers if name in layer.outputs)
    scale = fields.scales_of(layer)[layer.outputs.index(name)]
    return {"name": name, "dtype": "int8", "scale": scale, "whc": _whc(shapes[name])}
