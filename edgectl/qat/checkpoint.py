"""The checkpoint of a QAT run: the graph it began with, what has been learned, and how to go on.

A dictionary of tensors and plain values written by ``torch.save`` and read with ``weights_only=True``, as
all checkpoints. Graph and learned tensors together give the integers of the file: the calibration, which
takes minutes, is not repeated when a run is resumed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from edgectl.errors import ArtifactError
from edgectl.files import replacing_file
from edgectl.quant.fake_quant import FakeQuantNet
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QParams, QuantScheme
from edgectl.runs.checkpoint import read_document, write_tensors
from edgectl.spec import OperatingPoint

SCHEMA = "edgectl-quantized/2"


@dataclass
class QuantizedCheckpoint:
    """Attributes:
    config: the resolved ``RunConfig`` as plain values.
    backend: whose arithmetic the network is trained in.
    model: ``path`` and ``sha256`` of the float checkpoint it began with.
    calibration: of the ranges it began with; see ``CalibrationSet.to_dict``.
    start: the calibrated graph, see :func:`store_graph`.
    weights: of :class:`edgectl.quant.fake_quant.FakeQuantNet`, on the CPU.
    epoch, data, versions, training: as in :class:`edgectl.runs.checkpoint.Checkpoint`.
    """

    config: dict[str, Any]
    backend: str
    model: dict[str, str]
    calibration: dict[str, Any]
    start: dict[str, Any]
    weights: dict[str, Tensor]
    epoch: int
    data: dict[str, Any]
    versions: dict[str, str]
    operating_point: OperatingPoint | None = None
    training: dict[str, Any] | None = None
    schema: str = SCHEMA

    def save(self, path: Path) -> None:
        """Atomically: a crash leaves the previous file. Raises EdgectlError when the disk says no."""
        document = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if self.operating_point is not None:
            document["operating_point"] = dataclasses.asdict(self.operating_point)
        with replacing_file(path) as f:
            write_tensors(document, f)

    @classmethod
    def load(cls, path: Path) -> QuantizedCheckpoint:
        """Onto the CPU.

        Raises:
            ArtifactError: absent, truncated, altered, of something else, or with code.
        """
        document = read_document(path)
        if document.get("schema") != SCHEMA:
            raise ArtifactError(
                "not a checkpoint of quantization-aware training that this version can read",
                where=str(path),
                fix="name a run of 'edgectl qat'; start it again: edgectl qat --backend BACKEND",
            )
        fields = {f.name for f in dataclasses.fields(cls)}
        if set(document) != fields:
            wrong = ", ".join(sorted(fields ^ set(document)))
            raise _damaged(path, wrong)
        point = document["operating_point"]
        try:
            document["operating_point"] = None if point is None else OperatingPoint(**point)
            return cls(**document)
        except TypeError as e:
            raise _damaged(path, "operating_point") from e

    def quantized(self, scheme: QuantScheme) -> QuantizedGraph:
        """What has been learned, as the writer takes it. ``scheme``: of the backend.

        Raises:
            ArtifactError: parts that do not fit together.
        """
        net = FakeQuantNet(load_graph(self.start, scheme))
        try:
            net.load_state_dict(self.weights)
        except RuntimeError as e:
            raise ArtifactError(
                "the weights do not fit the graph stored with them",
                fix="start again: edgectl qat --backend " + self.backend,
            ) from e
        return net.export()


def store_graph(quantized: QuantizedGraph) -> dict[str, Any]:
    """Plain values and tensors; all of it but the scheme, which is the backend's."""
    return {
        "outputs": list(quantized.graph.outputs),
        "nodes": [
            {f.name: getattr(node, f.name) for f in dataclasses.fields(Node)}
            for node in quantized.graph
        ],
        "activations": {k: (q.scale, q.zero_point) for k, q in quantized.activations.items()},
        "weight_scales": dict(quantized.weight_scales),
    }


def load_graph(stored: dict[str, Any], scheme: QuantScheme) -> QuantizedGraph:
    """Inverse of :func:`store_graph`. Raises ArtifactError where it is not one."""
    try:
        graph = QuantGraph([Node(**node) for node in stored["nodes"]], stored["outputs"])
        activations = {k: QParams(*q) for k, q in stored["activations"].items()}
        return QuantizedGraph(graph, scheme, activations, dict(stored["weight_scales"]))
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise ArtifactError(
            f"the stored graph cannot be read: {e}",
            fix="restore the checkpoint from a copy, or start again: edgectl qat",
        ) from e


def _damaged(path: Path, field: str) -> ArtifactError:
    return ArtifactError(
        f"damaged or altered checkpoint (field {field})",
        where=str(path),
        fix="restore the file from a copy, or start again: edgectl qat",
    )
