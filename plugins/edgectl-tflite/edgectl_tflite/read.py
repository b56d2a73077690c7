"""Reading a TensorFlow Lite file back into plain tensors and operators, ours or anybody's.

A file is data from outside: what does not parse, or hides constants where the microcontroller
interpreter does not look, is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from edgectl.errors import ArtifactError

_DTYPES = {
    getattr(schema.TensorType, k): np.dtype(v)
    for k, v in {
        "INT8": "int8",
        "UINT8": "uint8",
        "INT16": "int16",
        "INT32": "int32",
        "INT64": "int64",
        "FLOAT32": "float32",
        "FLOAT16": "float16",
        "BOOL": "bool",
    }.items()
}
_BUILTINS = {
    v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")
}
_CUSTOM = schema.BuiltinOperator.CUSTOM


@dataclass(frozen=True)
class TensorInfo:
    """``scale`` and ``zero_point`` have one entry, or one a channel along ``axis``, or none.
    ``data`` is None for tensors computed at run time."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int
    data: np.ndarray | None

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True)
class OperatorInfo:
    """``options`` are the fields of its builtin options table."""

    builtin: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class FileGraph:
    """The main subgraph. Indices refer to ``tensors``."""

    tensors: tuple[TensorInfo, ...]
    operators: tuple[OperatorInfo, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    external_buffers: bool

    def output_names(self) -> list[str]:
        return [self.tensors[i].name for i in self.outputs]


def read_file(path: Path) -> FileGraph:
    """Raises ArtifactError for anything that is not a readable TensorFlow Lite file."""
    try:
        content = path.read_bytes()
    except OSError as e:
        raise ArtifactError(f"cannot be read: {e.strerror}", where=str(path)) from e
    return parse(content, str(path))


def parse(content: bytes, where: str) -> FileGraph:
    """As :func:`read_file`, from bytes."""
    fix = "export the model again"
    if content[4:8] != b"TFL3":
        raise ArtifactError("not a TensorFlow Lite file", where=where, fix=fix)
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        graph = model.subgraphs[0]
        codes = [_builtin(c) for c in model.operatorCodes]
        versions = [int(c.version) for c in model.operatorCodes]
        return FileGraph(
            tuple(_tensor(t, model.buffers, content) for t in graph.tensors),
            tuple(
                OperatorInfo(
                    codes[o.opcodeIndex],
                    versions[o.opcodeIndex],
                    tuple(int(i) for i in o.inputs),
                    tuple(int(i) for i in o.outputs),
                    dict(vars(o.builtinOptions)) if o.builtinOptions is not None else {},
                )
                for o in graph.operators
            ),
            tuple(int(i) for i in graph.inputs),
            tuple(int(i) for i in graph.outputs),
            any(getattr(b, "offset", 0) > 1 for b in model.buffers),
        )
    except (struct.error, IndexError, TypeError, ValueError, AttributeError, KeyError) as e:
        raise ArtifactError(f"damaged TensorFlow Lite file ({e})", where=where, fix=fix) from e


def _builtin(code: Any) -> str:
    number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
    if number == _CUSTOM and code.customCode:
        return f"custom {code.customCode.decode(errors='replace')}"
    return _BUILTINS.get(number, f"builtin {number}")


def _tensor(t: Any, buffers: list[Any], content: bytes) -> TensorInfo:
    dtype = _DTYPES[t.type]
    shape = tuple(int(n) for n in t.shape) if t.shape is not None else ()
    q = t.quantization
    scale = np.asarray(q.scale, np.float32) if q is not None and q.scale is not None else None
    zero = np.asarray(q.zeroPoint, np.int64) if q is not None and q.zeroPoint is not None else None
    return TensorInfo(
        t.name.decode(errors="replace") if t.name else "",
        shape,
        dtype,
        scale if scale is not None else np.zeros(0, np.float32),
        zero if zero is not None else np.zeros(0, np.int64),
        int(q.quantizedDimension) if q is not None else 0,
        _data(buffers[t.buffer], content, dtype, shape),
    )


def _data(
    buffer: Any, content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray | None:
    offset, size = int(getattr(buffer, "offset", 0)), int(getattr(buffer, "size", 0))
    if offset > 1:
        raw = content[offset : offset + size]
    elif buffer.data is not None and len(buffer.data):
        raw = np.asarray(buffer.data, np.uint8).tobytes()
    else:
        return None
    return np.frombuffer(raw, dtype).reshape(shape)
