"""A program as the bytes of a .tflite file."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.integer.lower import lower_graph
from edgectl.quant.integer.program import Program
from edgectl.quant.quantized import QuantizedGraph
from edgectl_tflite.reader.modelfile import enum_names, load_schema
from edgectl_tflite.writer.builder import ModelBuilder


def write_model(
    graph: QuantizedGraph | QuantGraph,
    output_names: Sequence[str],
    description: str,
    *,
    rows: Collection[str] = (),
) -> bytes:
    """The file of a graph; see :func:`edgectl.quant.integer.lower.lower_graph`."""
    return write_program(lower_graph(graph, output_names, rows=rows), description)


def write_program(program: Program, description: str) -> bytes:
    """The file's bytes. ``description`` is stored in it."""
    builder = ModelBuilder(description)
    numbers = {
        name: {word: number for number, word in names.items()}
        for name, names in enum_names(load_schema()).items()
    }
    for t in program.tensors:
        builder.tensor(
            t.name,
            t.shape,
            t.dtype,
            scales=t.scales,
            zero_points=t.zero_points,
            channel_axis=t.channel_axis,
            data=t.data,
        )
    for op in program.operations:
        fields = {k: numbers[k][v] if k in numbers else v for k, v in op.options.items()}
        builder.operation(op.name, op.version, op.inputs, op.outputs[0], op.table, **fields)
    return builder.finish(
        {program.label(i): i for i in program.inputs},
        {program.label(i): i for i in program.outputs},
    )
