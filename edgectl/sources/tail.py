"""What is left of a foreign network behind the heads an integer file computes: float, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgectl.backends.onnx_runtime import start_session
from edgectl.errors import ArtifactError, DependencyError
from edgectl.spec import OutputSpec

TAIL_FILE = "tail.onnx"


@dataclass(frozen=True)
class Tail:
    """An ONNX model from raw heads to a network's own outputs.

    Attributes:
        content: the file.
        outputs: its outputs, in order.
    """

    content: bytes
    outputs: tuple[str, ...]

    def run(self, heads: Sequence[Tensor]) -> list[Tensor]:
        """heads: (N, ...) each, in the order of the tail's inputs. Returns (N, ...) an output; outputs
        of another number of rows an image are filled up with nothing (0).

        Raises DependencyError where onnxruntime is not installed.
        """
        rows = [
            run_session(
                self._session,
                self.outputs,
                {i.name: h[n : n + 1].numpy() for i, h in zip(self._inputs, heads, strict=True)},
            )
            for n in range(len(heads[0]))
        ]
        return [stack_rows([torch.from_numpy(r[k]) for r in rows]) for k in range(len(rows[0]))]

    @cached_property
    def _session(self) -> Any:
        return open_session(self.content)

    @cached_property
    def _inputs(self) -> list[Any]:
        return list(self._session.get_inputs())


def stack_rows(parts: Sequence[Tensor]) -> Tensor:
    """One tensor of the outputs of single images; shorter ones are filled up with 0 (boxes behind NMS)."""
    parts = [p.reshape(1) if p.dim() == 0 else p for p in parts]
    full = [max(p.shape[d] for p in parts) for d in range(1, parts[0].dim())]
    filled = []
    for part in parts:
        part = part.float()
        if list(part.shape[1:]) != full:
            grown = part.new_zeros((part.shape[0], *full))
            grown[tuple(slice(0, n) for n in part.shape)] = part
            part = grown
        filled.append(part)
    return torch.cat(filled)


def open_session(content: bytes) -> Any:
    """An onnxruntime session on the CPU. Raises DependencyError, ArtifactError."""
    try:
        return start_session(content, fix="export the file again")
    except ImportError as e:
        raise DependencyError(
            "running an ONNX file needs onnxruntime", fix="pip install 'edgectl[onnx]'"
        ) from e


def run_session(session: Any, outputs: Sequence[str], feed: dict[str, Any]) -> list[Any]:
    """One run. Raises ArtifactError for what only shows when a file runs."""
    try:
        found: list[Any] = session.run(list(outputs), feed)
    except Exception as e:  # its own exception types, one a cause
        raise ArtifactError(
            f"ONNX Runtime cannot run the file: {str(e).splitlines()[0]}", fix="export it again"
        ) from e
    return found


def read_tail(path: Path, specs: Sequence[OutputSpec]) -> Tail:
    """The tail of an artifact. Raises ArtifactError."""
    try:
        content = path.read_bytes()
    except OSError as e:
        raise ArtifactError(f"cannot be read: {e.strerror}", where=str(path)) from e
    session = open_session(content)
    if len(session.get_inputs()) != len(specs):
        raise ArtifactError(
            f"a tail of {len(session.get_inputs())} inputs for {len(specs)} heads", where=str(path)
        )
    return Tail(content, tuple(o.name for o in session.get_outputs()))
