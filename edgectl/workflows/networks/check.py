"""``edgectl check``: what becomes of every operation of a network, before anything is calibrated."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import torch

from edgectl.backends.contract import Backend
from edgectl.config.schema import RunConfig
from edgectl.errors import GateFailedError, UnsupportedOpError, UsageError
from edgectl.export.rehearsal import PLAIN_RANGES
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.onnx_file import Verdict, read_onnx
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.sources.options import Statement
from edgectl.workflows.arguments import PathLike, SizeLike, read_path
from edgectl.workflows.console import Console
from edgectl.workflows.opening.backends import open_backend
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.models import open_model
from edgectl.workflows.opening.networks import (
    NetworkOptions,
    NetworkReader,
    is_network,
    read_statement,
)


@dataclass(frozen=True)
class Operation:
    """What became of one operation.

    Attributes:
        op: its name in the file, or in edgectl's graph.
        module: where it stands.
        verdict: ``runs``; ``rewritten``: as other operations that compute the same; ``cut``: left to the
            host, in the tail; ``refused``.
        fix: of what is refused or cut: why, and the way out.
    """

    op: str
    module: str
    verdict: str
    fix: str = ""


@dataclass(frozen=True)
class Checked:
    """Every operation of a network.

    Attributes:
        backend: whose limits were looked at; None: edgectl's op set alone.
        heads: what an integer file of it would compute.
    """

    model: str
    backend: str | None
    operations: tuple[Operation, ...]
    heads: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Operations by verdict."""
        return dict(Counter(o.verdict for o in self.operations))

    @property
    def refused(self) -> list[Operation]:
        """What nothing here can run."""
        return [o for o in self.operations if o.verdict == "refused"]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``check --json``."""
        return {
            "model": self.model,
            "backend": self.backend,
            "counts": self.counts,
            "heads": list(self.heads),
            "operations": [vars(o) for o in self.operations],
        }


def check_network(
    model: PathLike | None = None,
    *,
    backend: str | None = None,
    imgsz: SizeLike | None = None,
    console: Console | None = None,
    offline: bool = False,
    **network: Unpack[NetworkOptions],
) -> Checked:
    """``edgectl check``: each argument is its option.

    Args:
        model: whatever ``export`` takes; weights are not needed.
        backend: whose limits are looked at too.
        imgsz, network: see :class:`edgectl.workflows.opening.networks.NetworkOptions`.

    Raises:
        GateFailedError: an operation is refused. What was found is its ``result``.
    """
    context, path = open_context(console, offline), read_path(model)
    said = read_statement(network, imgsz)
    try:
        graph, operations, heads = _read(context, path, said)
    except UnsupportedOpError as e:
        refused = Operation("network", e.where or "", "refused", f"{e.message}; {e.fix}")
        raise _refuse(Checked(str(model), backend, (refused,), ())) from e
    if backend is not None:
        operations = [*operations, *_limits(context, backend, graph)]
    found = Checked(str(path or "the latest run"), backend, tuple(operations), tuple(heads))
    if found.refused:
        raise _refuse(found)
    return found


def _refuse(found: Checked) -> GateFailedError:
    first = found.refused[0]
    more = f" and {len(found.refused) - 1} more" if len(found.refused) > 1 else ""
    error = GateFailedError(
        f"refused: {first.op} in {first.module}{more}", where=found.model, fix=first.fix or None
    )
    error.result = found
    return error


_Read = tuple[QuantGraph, list[Operation], list[str]]


def _read(context: Context, path: Path | None, said: Statement) -> _Read:
    """The graph, what became of the file's own operations, and the heads."""
    if path is not None and path.suffix == ".onnx" and is_network(path):
        network = read_onnx(path, said.input_size, outputs=said.outputs)
        return network.graph, _describe_onnx(network.verdicts, network.graph), list(network.heads)
    if path is not None and is_network(path) and not said.family:
        reader = NetworkReader(context.registry, context.console.note, weights_needed=False)
        read = reader.read(path, said)
        return read.graph, _describe_graph(read.graph), list(read.heads)
    if path is not None and is_network(path):
        source = NetworkReader(context.registry).open(path, said, RunConfig())
    else:
        opened = open_model(context.registry, path, prefer_artifact=False)
        if opened.source is None or opened.artifact is not None:
            raise UsageError("an exported file has passed this check", where=str(path))
        source = opened.source
    graph = source.trace()
    return graph, _describe_graph(graph), [s.name for s in source.outputs]


def _describe_onnx(verdicts: tuple[Verdict, ...], graph: QuantGraph) -> list[Operation]:
    """An operation that left no node of its kind behind was rewritten."""
    there = {n.origin for n in graph}
    return [
        Operation(
            v.op,
            v.name,
            "rewritten" if v.verdict == "runs" and v.name not in there else v.verdict,
            "; ".join(filter(None, (v.reason, v.fix))),
        )
        for v in verdicts
    ]


def _describe_graph(graph: QuantGraph) -> list[Operation]:
    return [Operation(n.op, n.origin or n.name, "runs") for n in graph if n.op != "input"]


def _limits(context: Context, name: str, graph: QuantGraph) -> list[Operation]:
    """What the backend's device cannot run, and what its arithmetic cannot hold."""
    opened = open_backend(context.registry, name, RunConfig())
    if opened.info.takes != "graph":
        context.console.warn(f"{name} checks networks with its vendor's compiler, at export")
        return []
    backend: Backend = opened.backend
    issues = [_refused_by(issue) for issue in backend.check(graph)]
    if issues or "int8" not in opened.info.precisions:
        return issues
    # ranges that are fixed and differ show when they are chosen: of noise, without any search
    image = torch.rand(graph.input.shape, generator=torch.Generator().manual_seed(0))
    try:
        calibrate(graph, backend.scheme(opened.config), lambda: [image], PLAIN_RANGES)
    except UnsupportedOpError as e:
        return [Operation(e.message, e.where or "", "refused", e.fix or "")]
    return []


def _refused_by(issue: str) -> Operation:
    """``module: problem; fix``, as backends write it."""
    module, _, rest = issue.partition(": ")
    problem, _, fix = rest.partition("; ")
    return Operation(problem, module, "refused", fix)
