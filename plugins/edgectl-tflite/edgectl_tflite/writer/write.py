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
    classes: Sequence[str] = (),
) -> bytes:
    """The file of a graph; see :func:`edgectl.quant.integer.lower.lower_graph`."""
    program = lower_graph(graph, output_names, rows=rows)
    return write_program(program, description, classes=classes)


def write_program(program: Program, description: str, *, classes: Sequence[str] = ()) -> bytes:
    """The file's bytes. ``description`` is stored in it, and the names of ``classes`` as metadata, a line a
    class, under the name ``labels.txt``."""
    builder = ModelBuilder(description)
    if classes:
        builder.metadata("labels.txt", "".join(f"{name}\n" for name in classes).encode())
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
