"""The TFLite backend: see :class:`edgectl.protocols.Backend`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from edgectl.errors import ArtifactError, BackendUnavailableError, UsageError
from edgectl.quant.graph import Node, QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.scheme import QuantScheme
from edgectl.types import OutputSpec, PreprocessSpec

from edgectl_tflite import capabilities, package
from edgectl_tflite.arena import file_peak
from edgectl_tflite.config import TfliteConfig
from edgectl_tflite.read import TensorInfo, read_file
from edgectl_tflite.runtime import FileRunner, TflmRunner, open_runner
from edgectl_tflite.scheme import SCHEME
from edgectl_tflite.split import split_quantized
from edgectl_tflite.write import write_file

MODEL_FILE = "model.tflite"
_LARGEST = 6


class TfliteBackend:
    """Writes TensorFlow Lite files and opens them on four runtimes."""

    config_type: ClassVar[type[TfliteConfig]] = TfliteConfig

    def scheme(self, config: TfliteConfig) -> QuantScheme:  # noqa: ARG002
        """TensorFlow Lite's int8."""
        return SCHEME

    def check(self, graph: QuantGraph) -> list[str]:
        """What cannot be written."""
        return capabilities.issues(graph)

    def prepare(
        self, graph: QuantGraph, specs: Sequence[OutputSpec], config: TfliteConfig
    ) -> tuple[QuantGraph, tuple[OutputSpec, ...]]:
        """Appends a LOGISTIC to every output whose postprocess starts with a sigmoid: the firmware
        compares the output itself with its threshold."""
        if not config.append_activation:
            return graph, tuple(specs)
        nodes, outputs, prepared = list(graph), [], []
        for name, spec in zip(graph.outputs, specs, strict=True):
            if spec.activation == "softmax":
                raise UsageError(
                    f"the output '{spec.name}' ends in a softmax, which is planned, not built",
                    fix="--set backend.tflite.append_activation=false",
                )
            if spec.activation == "sigmoid" and not spec.applied:
                scores = Node(f"{name}_scores", "sigmoid", (name,), graph[name].shape)
                nodes.append(scores)
                outputs.append(scores.name)
                prepared.append(replace(spec, applied=True))
            else:
                outputs.append(name)
                prepared.append(spec)
        return QuantGraph(nodes, outputs), tuple(prepared)

    def write(
        self,
        graph: QuantizedGraph | QuantGraph,
        directory: Path,
        *,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec,  # noqa: ARG002
        classes: Sequence[str],  # noqa: ARG002
        precision: str,  # noqa: ARG002
        config: TfliteConfig,
    ) -> list[Path]:
        """``model.tflite``."""
        if isinstance(graph, QuantizedGraph) and config.split == "auto":
            graph = split_quantized(graph)
        path = directory / MODEL_FILE
        path.write_bytes(write_file(graph, specs))
        return [path]

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        manifest: Mapping[str, Any],  # noqa: ARG002
    ) -> FileRunner:
        """The file on one runtime."""
        return open_runner(model_file, runtime, specs)

    def describe(self, model_file: Path) -> dict[str, Any]:
        """Tensors, operators, memory."""
        graph = read_file(model_file)
        counts = Counter((o.builtin, o.version) for o in graph.operators)
        peak = file_peak(graph)
        return {
            "inputs": [_tensor(graph.tensors[i]) for i in graph.inputs],
            "outputs": [_tensor(graph.tensors[i]) for i in graph.outputs],
            "operators": [
                {"op": op, "version": version, "count": n}
                for (op, version), n in sorted(counts.items())
            ],
            "arena_bytes": _arena(model_file),
            "peak": {
                "bytes": peak.bytes,
                "operator": peak.operator,
                "tensors": [{"name": n, "bytes": b} for n, b in peak.tensors[:_LARGEST]],
            },
            "file_bytes": model_file.stat().st_size,
        }

    def usage(self, manifest: Mapping[str, Any]) -> str:
        """README of the artifact."""
        return package.usage(manifest)


def _tensor(t: TensorInfo) -> dict[str, Any]:
    described: dict[str, Any] = {"name": t.name, "shape": list(t.shape), "dtype": str(t.dtype)}
    if len(t.scale) == 1:
        described |= {"scale": float(t.scale[0]), "zero_point": int(t.zero_point[0])}
    return described


def _arena(model_file: Path) -> int | None:
    """As TensorFlow Lite Micro reports it; None where it is not installed or refuses the file."""
    try:
        return TflmRunner(model_file, ()).arena_bytes
    except (BackendUnavailableError, ArtifactError):
        return None
