"""The network as data: a NumPy archive with the graph as JSON, from which the C file is generated."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.quantized import QuantizedGraph

FORMAT = "edgectl-carray/1"


@dataclass(frozen=True)
class Model:
    """``nodes``: name, op, inputs, shape, attrs, activation and, with integer weights, ``step`` of the tensor
    read. ``arrays``: NODE.weight (int8 or float32), NODE.bias, NODE.scale."""

    nodes: list[dict[str, Any]]
    outputs: list[str]
    arrays: dict[str, np.ndarray]


def from_graph(graph: QuantizedGraph | QuantGraph) -> Model:
    """Of a float graph or a quantized one."""
    quantized = graph if isinstance(graph, QuantizedGraph) else None
    network = graph.graph if isinstance(graph, QuantizedGraph) else graph
    nodes, arrays = [], {}
    for node in network:
        entry: dict[str, Any] = {
            "name": node.name,
            "op": node.op,
            "inputs": list(node.inputs),
            "shape": list(node.shape),
            "attrs": node.attrs,
            "activation": node.activation,
        }
        if node.weight is not None and node.bias is not None:
            arrays[f"{node.name}.bias"] = node.bias.detach().numpy()
            if quantized is None:
                arrays[f"{node.name}.weight"] = node.weight.detach().numpy()
            else:
                arrays[f"{node.name}.weight"] = quantized.integer_weight(node)
                arrays[f"{node.name}.scale"] = quantized.weight_scales[node.name].numpy()
                entry["step"] = float(quantized.activations[node.inputs[0]].scale)
        nodes.append(entry)
    # attributes as JSON gives them back, so that a file read is the model written
    return Model(json.loads(json.dumps(nodes)), list(network.outputs), arrays)


def save(model: Model, path: Path) -> None:
    """Writes ``path``."""
    text = json.dumps({"format": FORMAT, "nodes": model.nodes, "outputs": model.outputs})
    arrays: dict[str, Any] = dict(model.arrays)
    np.savez(path, graph=np.frombuffer(text.encode(), np.uint8), **arrays)


def load(path: Path) -> Model:
    """Raises ArtifactError for anything but a file of this format."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(arrays.pop("graph").tobytes())
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']}")
        return Model(document["nodes"], document["outputs"], arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as e:
        raise ArtifactError(
            f"not a network of this backend: {type(e).__name__}",
            where=str(path),
            fix="export again: edgectl export --backend carray",
        ) from e
