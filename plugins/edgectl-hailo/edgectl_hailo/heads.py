"""Which nodes of the ONNX file the compiler ends at, and what comes out there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx

from edgectl.backends.network import Network
from edgectl.errors import ArtifactError

_RESHAPES = {"Flatten", "Reshape", "Squeeze"}


@dataclass(frozen=True)
class Head:
    """One raw head.

    Attributes:
        name: of its OutputSpec.
        node: name of the ONNX node that computes it; the compiler's ``end_node_names`` entry.
        shape: as ONNX has it, batch included: (1, C, H, W) or (1, C).
    """

    name: str
    node: str
    shape: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """For ``compile.json``."""
        return {"name": self.name, "node": self.node, "shape": list(self.shape)}


def heads_of(network: Network) -> tuple[Head, ...]:
    """In OutputSpec order. Raises ArtifactError for an output no node makes."""
    graph = network.model.graph
    makers = {name: node for node in graph.node for name in node.output}
    shapes = {v.name: _shape(v) for v in (*graph.value_info, *graph.output)}
    heads = []
    for spec in network.outputs:
        if spec.name not in makers:
            raise ArtifactError(
                f"no node makes the output '{spec.name}'",
                where=network.file.name,
                fix="please report this with the run directory",
            )
        maker = makers[spec.name]
        # one value a channel: reshaping it is the host's, and nothing for the device to do
        while _drops_grid(maker, shapes) and maker.input[0] in makers:
            maker = makers[maker.input[0]]
        heads.append(Head(spec.name, maker.name, shapes[spec.name]))
    return tuple(heads)


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(int(d.dim_value) for d in value.type.tensor_type.shape.dim)


def _drops_grid(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> bool:
    return node.op_type in _RESHAPES and shapes.get(node.input[0], ())[2:] == (1, 1)
