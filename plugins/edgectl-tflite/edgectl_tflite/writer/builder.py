"""Assembles a .tflite flatbuffer. Same calls, same bytes: no time and no hash order gets in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgectl_tflite.reader.modelfile import load_schema

_ALIGNMENT = 16
"""Vector loads of the device kernels; the schema demands it, its Python packer ignores it."""


class ModelBuilder:
    """One subgraph, one signature.

    Args:
        description: stored in the file.
    """

    def __init__(self, description: str) -> None:
        self._schema = load_schema()
        s = self._schema
        self._model = s.ModelT(
            version=3, description=description, buffers=[s.BufferT()], operatorCodes=[]
        )
        self._graph = s.SubGraphT(name="main", tensors=[], operators=[], inputs=[], outputs=[])
        self._codes: dict[tuple[str, int], int] = {}
        self._buffers: dict[bytes, int] = {}

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        *,
        scales: Sequence[float] = (),
        zero_points: Sequence[int] = (),
        channel_axis: int = 0,
        data: np.ndarray | None = None,
    ) -> int:
        """Adds a tensor; ``data`` makes it constant (stored once). Returns its index."""
        s = self._schema
        record = s.TensorT(
            name=name,
            shape=[int(d) for d in shape],
            type=getattr(s.TensorType, dtype.upper()),
            buffer=0 if data is None else self._buffer(data),
            hasRank=True,
        )
        if len(scales):
            record.quantization = s.QuantizationParametersT(
                scale=[float(v) for v in scales],
                zeroPoint=[int(v) for v in zero_points],
                quantizedDimension=channel_axis,
            )
        self._graph.tensors.append(record)
        return len(self._graph.tensors) - 1

    def metadata(self, name: str, contents: bytes) -> None:
        """Notes something that no kernel reads."""
        s = self._schema
        number = self._buffer(np.frombuffer(contents, np.uint8))
        self._model.metadata = [
            *(self._model.metadata or []),
            s.MetadataT(name=name, buffer=number),
        ]

    def operation(
        self,
        name: str,
        version: int,
        inputs: Sequence[int],
        output: int,
        options: str | None = None,
        **fields: Any,
    ) -> None:
        """Adds an op. ``fields`` fill the schema's option table named ``options``."""
        s = self._schema
        operator = s.OperatorT(
            opcodeIndex=self._code(name, version), inputs=list(inputs), outputs=[output]
        )
        if options is not None:
            operator.builtinOptionsType = getattr(s.BuiltinOptions, options)
            operator.builtinOptions = getattr(s, f"{options}T")(**fields)
        self._graph.operators.append(operator)

    def finish(self, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        """The file's bytes. Arguments: signature name -> tensor index, in order."""
        import flatbuffers

        s = self._schema
        self._graph.inputs, self._graph.outputs = list(inputs.values()), list(outputs.values())
        self._model.subgraphs = [self._graph]
        self._model.signatureDefs = [
            s.SignatureDefT(
                signatureKey="serving_default",
                subgraphIndex=0,
                inputs=[s.TensorMapT(name=n, tensorIndex=i) for n, i in inputs.items()],
                outputs=[s.TensorMapT(name=n, tensorIndex=i) for n, i in outputs.items()],
            )
        ]
        packer = flatbuffers.Builder(1 << 16)
        packer.Finish(self._model.Pack(packer), b"TFL3")
        return bytes(packer.Output())

    def _code(self, name: str, version: int) -> int:
        key = (name, version)
        if key not in self._codes:
            s = self._schema
            number = getattr(s.BuiltinOperator, name)
            self._codes[key] = len(self._codes)
            self._model.operatorCodes.append(
                s.OperatorCodeT(
                    # Readers older than the wide field look at the narrow one, whose limit is 127.
                    deprecatedBuiltinCode=min(number, 127),
                    builtinCode=number,
                    version=version,
                )
            )
        return self._codes[key]

    def _buffer(self, data: np.ndarray) -> int:
        contents = np.ascontiguousarray(data).tobytes()
        if contents not in self._buffers:
            self._buffers[contents] = len(self._model.buffers)
            self._model.buffers.append(_AlignedBuffer(self._schema, contents))
        return self._buffers[contents]


class _AlignedBuffer:
    """Stands in for the schema's BufferT, whose ``Pack`` aligns to one byte."""

    def __init__(self, schema: Any, contents: bytes) -> None:
        self._schema = schema
        self._contents = contents

    def Pack(self, builder: Any) -> int:  # noqa: N802 - called by the schema's packer
        size = len(self._contents)
        builder.StartVector(1, size, _ALIGNMENT)
        builder.head = builder.head - size
        builder.Bytes[builder.head : builder.head + size] = self._contents
        vector = builder.EndVector()
        self._schema.BufferStart(builder)
        self._schema.BufferAddData(builder, vector)
        return int(self._schema.BufferEnd(builder))
