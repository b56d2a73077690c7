"""A .tflite file read back: tensors, ops and their options, checked before anything executes it.

Format: the flatbuffer schema in ``ai_edge_litert.schema_py_generated`` (identifier ``TFL3``).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.quant.integer.program import Operation, Program, TensorRecord

_DTYPES: dict[int, str] = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
    12: "uint64",
    15: "uint32",
    16: "uint16",
}
"""TensorType numbers of the schema; others (strings, packed 4-bit) appear as ``type<number>``."""


def load_schema() -> Any:
    """The generated schema module. Raises BackendUnavailableError where it is not installed."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as e:
        raise BackendUnavailableError(
            "ai-edge-litert is not installed", fix="pip install edgectl-tflite"
        ) from e
    return schema_py_generated


@dataclass(frozen=True)
class ModelFile(Program):
    """The first subgraph of a file.

    Attributes:
        aliases: tensor index -> name in the first signature, where there is one.
        external_buffers: constants lie behind the flatbuffer instead of inside it.
    """

    data: bytes = field(repr=False, kw_only=True)
    external_buffers: bool = field(kw_only=True)


def read_model(path: Path) -> ModelFile:
    """Raises ArtifactError unless ``path`` holds a complete model."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ArtifactError(f"cannot be read: {e.strerror}", where=str(path)) from e
    return parse_model(data, path)


def parse_model(data: bytes, path: Path | None = None) -> ModelFile:
    """Raises ArtifactError on foreign, truncated or inconsistent contents."""
    where = str(path) if path is not None else "model"
    fix = "export the model again, or copy the file afresh"
    if data[4:8] != b"TFL3":
        raise ArtifactError("not a TensorFlow Lite file", where=where, fix=fix)
    schema = load_schema()
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        return _convert(schema, model, data, path)
    # What the generated accessors raise on offsets that lead nowhere.
    except (struct.error, LookupError, TypeError, ValueError, AttributeError, OverflowError) as e:
        raise ArtifactError(f"damaged TensorFlow Lite file ({e})", where=where, fix=fix) from e


def _convert(schema: Any, model: Any, data: bytes, path: Path | None) -> ModelFile:
    op_names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    enums = enum_names(schema)
    graph = model.subgraphs[0]
    contents = [_contents(b, data) for b in model.buffers]
    tensors = tuple(_tensor(i, t, contents) for i, t in enumerate(graph.tensors))
    operations = []
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        name = op_names[builtin]
        if name == "CUSTOM":
            name = f"CUSTOM {_text(code.customCode)}"
        inputs, outputs = _indices(op.inputs), _indices(op.outputs)
        if not all(-1 <= i < len(tensors) for i in inputs + outputs):
            raise ValueError(f"{name} refers to a tensor that does not exist")
        if not inputs or not outputs or min(outputs) < 0:
            raise ValueError(f"{name} lacks inputs or outputs")
        operations.append(
            Operation(name, code.version, inputs, outputs, *_options(enums, op.builtinOptions))
        )
    inputs, outputs = _indices(graph.inputs), _indices(graph.outputs)
    if not inputs or not outputs or not all(0 <= i < len(tensors) for i in inputs + outputs):
        raise ValueError("no usable inputs or outputs")
    if not operations:
        raise ValueError("no operations")
    aliases = {}
    for signature in (model.signatureDefs or [])[:1]:
        for entry in [*(signature.inputs or []), *(signature.outputs or [])]:
            aliases[int(entry.tensorIndex)] = _text(entry.name)
    return ModelFile(
        tensors,
        tuple(operations),
        inputs,
        outputs,
        aliases,
        path,
        data=data,
        external_buffers=any(b.offset > 1 for b in model.buffers)
        or any(getattr(t, "externalBuffer", 0) for t in graph.tensors),
    )


def enum_names(schema: Any) -> dict[str, dict[int, str]]:
    """Field of an option table -> the names of its enumerators, for those a program holds by name."""
    kinds = {"fusedActivationFunction": "ActivationFunctionType", "padding": "Padding"}
    return {
        name: {v: k for k, v in vars(getattr(schema, kind)).items() if isinstance(v, int)}
        for name, kind in kinds.items()
    }


def _options(enums: dict[str, dict[int, str]], table: Any) -> tuple[dict[str, Any], str | None]:
    """Fields of an option table, enumerators by name, and the table's name."""
    if table is None:
        return {}, None
    fields = {
        name: enums[name][value] if name in enums else value for name, value in vars(table).items()
    }
    return fields, type(table).__name__.removesuffix("T")


def _contents(buffer: Any, data: bytes) -> bytes | None:
    if buffer.offset > 1:
        stored = data[buffer.offset : buffer.offset + buffer.size]
        if len(stored) != buffer.size:
            raise ValueError("constants lie beyond the end of the file")
        return stored
    if buffer.data is None or len(buffer.data) == 0:
        return None
    return np.asarray(buffer.data, np.uint8).tobytes()


def _tensor(index: int, tensor: Any, contents: list[bytes | None]) -> TensorRecord:
    shape = _indices(tensor.shape)
    if any(d < 0 for d in shape):
        raise ValueError("negative dimension")
    dtype = _DTYPES.get(tensor.type, f"type{tensor.type}")
    stored = contents[tensor.buffer]
    values = None
    if stored is not None and tensor.type in _DTYPES:
        values = np.frombuffer(stored, np.dtype(dtype)).reshape(shape)
    quantization = tensor.quantization
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    if quantization is not None and quantization.scale is not None:
        scales = tuple(float(s) for s in quantization.scale)
        zero_points = _indices(quantization.zeroPoint) or (0,) * len(scales)
        if not all(0.0 < s < math.inf for s in scales):
            raise ValueError("a scale is not a positive number")
    axis = quantization.quantizedDimension if quantization is not None else 0
    return TensorRecord(
        index, _text(tensor.name), shape, dtype, scales, zero_points, int(axis), values
    )


def _indices(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(v) for v in values)


def _text(value: bytes | str | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
