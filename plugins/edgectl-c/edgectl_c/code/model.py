"""``model.h`` and ``model.c`` of a plan. The same plan gives the same text."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np

from edgectl.escape.c import comment, quote
from edgectl_c.code.operators import Code, code_of
from edgectl_c.code.text import array, record
from edgectl_c.plan.network import Step, View, view_of
from edgectl_c.plan.plan import Plan

_WEIGHTED = ("rescale", "finish", "words", "taps")
_NEEDS: dict[str, tuple[str, ...]] = {
    "conv": (*_WEIGHTED, "conv_row"),
    "conv_quick": (*_WEIGHTED, "conv_row"),
    "conv_grouped": _WEIGHTED,
    "transpose_conv": ("rescale", "finish"),
    "prelu": ("rescale", "operands"),
    "matmul": ("rescale",),
    "depthwise": (*_WEIGHTED, "depthwise_row"),
    "depthwise_quick": (*_WEIGHTED, "depthwise_row"),
    "add": ("rescale", "operands"),
    "mul": ("rescale", "operands"),
    "mean": ("rescale",),
    "softmax": ("rescale",),
}
_ORDER = (
    "rescale", "finish", "words", "taps", "operands", "conv_row", "conv", "conv_quick",
    "conv_grouped", "transpose_conv", "prelu", "matmul", "resize_bilinear", "slice", "pick",
    "depthwise_row", "depthwise", "depthwise_quick", "add", "mul", "lookup", "concat", "pad",
    "max_pool", "average_pool", "mean", "resize", "transpose", "softmax",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Text of the two files. ``table_bytes``: of the constant arrays; ``tensors``: structs of that kind."""

    header: str
    code: str
    table_bytes: int
    tensors: int


def write_source(plan: Plan) -> Source:
    """The library of a plan.

    Raises:
        UnsupportedOpError: an op there is no C for.
    """
    return _Library(plan).source()


class _Library:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.network = plan, plan.network
        self.program = plan.network.program
        self.tables = _Tables()
        self.tensors: dict[tuple[bool, int, View], str] = {}
        self.lists: list[str] = []
        self.borders: dict[int, int] = {}

    def source(self) -> Source:
        codes = [
            code_of(self.program, s.operation) if s.operation is not None else Code("camera")
            for s in self.network.steps
        ]
        for code in codes:
            if code.border is not None:
                zero, count = code.border
                self.borders[zero] = max(self.borders.get(zero, 0), count)
        ops = [self.op(k, code) for k, code in enumerate(codes)]
        tensors = self.tensor_texts()
        outputs = self.outputs()
        schedule = self.schedule()
        kernels = {c.kernel for c in codes}
        kernels |= {n for k in kernels for n in _NEEDS.get(k, ())}
        parts = [
            '#include "model.h"',
            f"#define MODEL_TAPS {max(1, *(c.taps for c in codes))}\n"
            f"#define MODEL_KERNEL_ROWS {max(1, *(c.fields.get('kh', 1) for c in codes))}",
            read_kernel("base"),
            "static union {\n  int32_t align;\n"
            f"  int8_t bytes[{self.plan.arena_bytes}];\n}} arena;",
            *([read_kernel("camera")] if self.plan.camera_rows else []),
            *(read_kernel(name) for name in _ORDER if name in kernels),
            *self.tables.texts,
            "\n".join([*tensors, *self.lists]),
            f"static const op ops[{len(ops)}] = {{\n  " + ",\n  ".join(ops) + "};",
            schedule,
            outputs,
            read_kernel("run"),
            read_kernel("rows") if self.plan.camera_rows else self.whole(),
        ]
        text = "\n\n".join(parts) + "\n"
        schedule_bytes = 2 * sum(1 for _ in self.plan.runs())
        return Source(self.header(), text, self.tables.nbytes + schedule_bytes, len(tensors))

    def whole(self) -> str:
        """The entry for images that stand in the arena."""
        row = self.network.buffers[self.network.input].row_bytes
        at = self.plan.offsets[self.network.input]
        return f"#define INPUT_AT {at}\n#define INPUT_ROW {row}\n\n" + read_kernel("whole")

    def op(self, k: int, code: Code) -> str:
        """The struct of step ``k``."""
        step = self.network.steps[k]
        out = self.tensor(True, step.output, step.view)
        fields: dict[str, object] = {"run": code.kernel, "out": f"&{out}"}
        operands = [f"&{name}" for name in self.operands(step, code)]
        if code.kernel == "concat":
            self.lists.append(
                f"static const tensor *const parts{k}[{len(operands)}] = {{{', '.join(operands)}}};"
            )
            fields["parts"] = f"parts{k}"
        else:
            fields.update(zip(("a", "b"), operands, strict=False))
        for name, (kind, values) in code.tables.items():
            fields[name] = self.tables.add(kind, values)
        if code.border is not None:
            zero = code.border[0]
            fields["border"] = self.tables.add("int8_t", np.full(self.borders[zero], zero))
        fields |= code.fields
        return f"/* {k}: */ {comment(step.name)}\n  {record(fields)}"

    def operands(self, step: Step, code: Code) -> list[str]:
        """Names of the tensors a step reads, in the op's order; weights and parameters are none."""
        if step.operation is None:
            return []
        reads = iter(step.reads)
        all_of_them = code.kernel in ("concat", "add", "mul", "prelu", "matmul")
        wanted = step.operation.inputs if all_of_them else step.operation.inputs[:1]
        if code.kernel == "transpose_conv":  # its image comes third
            wanted = step.operation.inputs[2:3]
        names = []
        for i in wanted:
            constant = self.program.tensors[i]
            if constant.data is None:
                read = next(reads)
                names.append(self.tensor(True, read.buffer, read.view))
            else:
                names.append(self.tensor(False, i, view_of(constant.shape)))
        return names

    def tensor(self, buffer: bool, index: int, view: View) -> str:
        """Name of a tensor: a buffer, or a constant of the program, as rows, pixels and channels."""
        return self.tensors.setdefault((buffer, index, view), f"v{len(self.tensors)}")

    def tensor_texts(self) -> list[str]:
        """Their structs."""
        texts = []
        for (is_buffer, index, view), name in self.tensors.items():
            rows, width, channels = view
            if is_buffer:
                data = f"arena.bytes + {self.plan.offsets[index]}"
                if self.plan.rows[index] < self.network.buffers[index].height:
                    rows = self.plan.rows[index]
            else:
                values = self.program.tensors[index].data
                assert values is not None
                # kernels write to their output only, and no constant is one
                data = f"(int8_t *)(uintptr_t){self.tables.add('int8_t', values)}"
            fields: dict[str, object] = {"data": data, "rows": rows, "row_bytes": width * channels}
            fields |= {"h": view[0], "w": width, "c": channels}
            texts.append(f"static const tensor {name} = {record(fields)};")
        return texts

    def schedule(self) -> str:
        """Pairs of a step and how many of its rows come in succession."""
        pairs = []
        for k, count in self.plan.runs():
            while count > 255:
                pairs.append((k, 255))
                count -= 255
            pairs.append((k, count))
        kind = "uint8_t" if len(self.network.steps) <= 256 else "uint16_t"
        return array(kind, "schedule", np.array(pairs))

    def outputs(self) -> str:
        """Where they lie."""
        places = np.array([self.plan.offsets[b] for b in self.network.outputs])
        return array("int32_t", "output_at", places)

    def header(self) -> str:
        """``model.h``."""
        program = self.program
        source = program.tensors[program.inputs[0]]
        height, width, channels = self.network.buffers[self.network.input].view
        lines = [
            f"#define MODEL_CAMERA_ROWS {int(self.plan.camera_rows)}",
            f"#define MODEL_ARENA_BYTES {self.plan.arena_bytes}",
            f"#define MODEL_STEPS {len(self.network.steps)}",
            f"#define MODEL_INPUT_HEIGHT {height}",
            f"#define MODEL_INPUT_WIDTH {width}",
            f"#define MODEL_INPUT_CHANNELS {channels}",
            f"#define MODEL_INPUT_BYTES {height * width * channels}",
            f"#define MODEL_INPUT_SCALE {source.scales[0]!r}f",
            f"#define MODEL_INPUT_ZERO_POINT {source.zero_points[0]}",
            f"#define MODEL_OUTPUTS {len(program.outputs)}",
        ]
        for i, tensor in enumerate(program.outputs):
            found = program.tensors[tensor]
            height, width, channels = view_of(found.shape)
            lines += [
                f"#define MODEL_OUTPUT_{i}_NAME {quote(program.label(tensor))}",
                f"#define MODEL_OUTPUT_{i}_HEIGHT {height}",
                f"#define MODEL_OUTPUT_{i}_WIDTH {width}",
                f"#define MODEL_OUTPUT_{i}_CHANNELS {channels}",
                f"#define MODEL_OUTPUT_{i}_BYTES {height * width * channels}",
                f"#define MODEL_OUTPUT_{i}_SCALE {found.scales[0]!r}f",
                f"#define MODEL_OUTPUT_{i}_ZERO_POINT {found.zero_points[0]}",
            ]
        return read_kernel("header.h").replace("/* DEFINES */", "\n".join(lines)) + "\n"


class _Tables:
    """Constant arrays; the same numbers are stored once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.nbytes = 0
        self._names: dict[tuple[str, bytes], str] = {}

    def add(self, kind: str, values: np.ndarray) -> str:
        """Name of the array that holds them."""
        flat = np.ascontiguousarray(values).reshape(-1).astype(kind.removesuffix("_t"))
        key = (kind, flat.tobytes())
        if key not in self._names:
            self._names[key] = f"t{len(self._names)}"
            self.texts.append(array(kind, self._names[key], flat))
            self.nbytes += flat.nbytes
        return self._names[key]


def read_kernel(name: str) -> str:
    """The text of a part of the library."""
    file = name if "." in name else f"{name}.c"
    folder = resources.files("edgectl_c.code") / "kernels"
    return (folder / file).read_text("utf-8").rstrip()
