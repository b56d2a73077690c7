"""An ONNX file as a network: the body in edgectl's graph, the rest as its tail, onnxruntime as the judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgectl.quant.graph.module import GraphModule
from edgectl.quant.graph.onnx_file import OnnxNetwork, extract_body, read_onnx
from edgectl.sources.metadata import read_metadata
from edgectl.sources.options import Statement
from edgectl.sources.reading import ReadNetwork
from edgectl.sources.tail import Tail, open_session, run_session


class OnnxHeads:
    """Raw heads as onnxruntime computes them from the file: normalized (N, 3, H, W) in."""

    def __init__(self, network: OnnxNetwork) -> None:
        body = extract_body(network)
        self._session: Any = open_session(body.SerializeToString())
        self._entry = body.graph.input[0].name
        self._names = list(network.heads)
        self._channels_last = network.channels_last

    def __call__(self, x: Tensor) -> list[Tensor]:
        """One image at a time: the file's batch is one."""
        x = (x.permute(0, 2, 3, 1) if self._channels_last else x).contiguous()
        rows = [
            run_session(self._session, self._names, {self._entry: x[i : i + 1].numpy()})
            for i in range(len(x))
        ]
        return [torch.cat([torch.from_numpy(r[k]) for r in rows]) for k in range(len(self._names))]


def read_onnx_file(
    path: Path, said: Statement, *, name: str = "", file: Path | None = None
) -> ReadNetwork:
    """Reads a file.

    Args:
        name: of the network; default: the file's.
        file: whose sha256 stands for it; default: ``path``.

    Raises:
        DependencyError, ArtifactError, UsageError, UnsupportedOpError: see
            :func:`edgectl.quant.graph.onnx_file.read_onnx`.
    """
    network = read_onnx(path, said.input_size, outputs=said.outputs)
    return ReadNetwork(
        path=file or path,
        name=name or path.stem,
        graph=network.graph,
        heads=network.heads,
        model=GraphModule(network.graph).eval(),
        run=OnnxHeads(network),
        tail=None if network.tail is None else _tail_of(network),
        metadata=read_metadata(network.model),
    )


def _tail_of(network: OnnxNetwork) -> Tail:
    assert network.tail is not None
    names: Sequence[str] = [o.name for o in network.tail.graph.output]
    return Tail(network.tail.SerializeToString(), tuple(names))
