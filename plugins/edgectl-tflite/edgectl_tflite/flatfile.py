"""Building a TensorFlow Lite flatbuffer: tensors, buffers, operators, one subgraph, one signature.

Schema: tensorflow/lite/schema/schema.fbs, as generated code in ai-edge-litert.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgectl.quant.scheme import QParams

_TYPES = {"int8": "INT8", "int32": "INT32", "float32": "FLOAT32"}
# operator codes below 127 are written twice, for readers older than the wide field
_NARROW = 127


class FlatFile:
    """Collects tensors and operators; :meth:`finish` gives the bytes. Same calls, same bytes."""

    def __init__(self) -> None:
        self._buffers: list[Any] = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[tuple[str, int]] = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        *,
        scale: np.ndarray | Sequence[float] | None = None,
        zero_point: int = 0,
        axis: int = 0,
        data: np.ndarray | None = None,
    ) -> int:
        """Adds a tensor and returns its index. Several scales mean per-channel along ``axis``."""
        t = schema.TensorT()
        t.name, t.shape, t.hasRank = name.encode(), [int(n) for n in shape], True
        t.type, t.buffer = getattr(schema.TensorType, _TYPES[dtype]), 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            t.buffer = len(self._buffers)
            self._buffers.append(buffer)
        if scale is not None:
            q = schema.QuantizationParametersT()
            q.scale = [float(s) for s in scale]
            q.zeroPoint = [zero_point] * len(q.scale)
            q.quantizedDimension = axis
            t.quantization = q
        self._tensors.append(t)
        return len(self._tensors) - 1

    def activation(self, name: str, shape: Sequence[int], q: QParams | None) -> int:
        """A tensor computed at run time: int8 with parameters, float32 without."""
        if q is None:
            return self.tensor(name, shape, "float32")
        return self.tensor(name, shape, "int8", scale=[q.scale], zero_point=q.zero_point)

    def integers(self, name: str, values: Any) -> int:
        """An int32 constant."""
        array = np.asarray(values, np.int32)
        return self.tensor(name, array.shape, "int32", data=array)

    def operator(
        self,
        builtin: str,
        inputs: Sequence[int],
        output: int,
        options: tuple[str, dict[str, Any]] | None = None,
        version: int = 1,
    ) -> None:
        """Adds an operator. ``options``: name of the options table and its fields."""
        if (builtin, version) not in self._codes:
            self._codes.append((builtin, version))
        op = schema.OperatorT()
        op.opcodeIndex = self._codes.index((builtin, version))
        op.inputs, op.outputs = list(inputs), [output]
        if options is not None:
            name, fields = options
            table = getattr(schema, f"{name}T")()
            for field, value in fields.items():
                setattr(table, field, value)
            op.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            op.builtinOptions = table
        self._operators.append(op)

    def finish(self, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        """The file, with signature ``serving_default``; dictionaries map names to tensors."""
        graph = schema.SubGraphT()
        graph.name = b"main"
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = list(inputs.values()), list(outputs.values())
        model = schema.ModelT()
        model.version, model.description = 3, b"edgectl"
        model.buffers, model.subgraphs = self._buffers, [graph]
        model.operatorCodes = [self._code(*c) for c in self._codes]
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [self._entry(n, i) for n, i in inputs.items()]
        signature.outputs = [self._entry(n, i) for n, i in outputs.items()]
        model.signatureDefs = [signature]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @staticmethod
    def _code(builtin: str, version: int) -> Any:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, builtin)
        code.deprecatedBuiltinCode = min(code.builtinCode, _NARROW)
        code.version = version
        return code

    @staticmethod
    def _entry(name: str, index: int) -> Any:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), index
        return entry
