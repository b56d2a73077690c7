"""``decode.c`` and ``decode.h``: the rule of a model as tables, and the code that reads them.

A head's byte has 256 values, so whatever is done to one number alone (scale, activation, transform, unit)
stands in a table, computed as ``edgectl/deploy/board/decode.py`` computes it: the device's results are
equal to Python's, ties included, and there is no mathematics library in the program but a square root.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.escape.c import comment, literal
from edgectl.quant.integer.program import Program
from edgectl.spec import OutputSpec, Size
from edgectl_c.code.text import record
from edgectl_c.program.source import read_source

_RESULT, _CANDIDATE = 24, 8
_COLUMNS = 6
_TABLED = ("none", "exp")
"""Transforms of one number alone."""


@dataclass(frozen=True)
class HeadBytes:
    """One output as the library writes it: number, grid, channels, and what a byte stands for."""

    index: int
    rows: int
    columns: int
    channels: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Decoder:
    """``ram_bytes``: of its static arrays."""

    header: str
    code: str
    results: int
    ram_bytes: int


def heads_of(program: Program, outputs: tuple[OutputSpec, ...], size: Size) -> list[HeadBytes]:
    """The outputs a manifest names, in its order.

    Raises:
        ArtifactError: an output the program does not have, or of another size.
    """
    at = {program.label(tensor): k for k, tensor in enumerate(program.outputs)}
    heads = []
    for spec in outputs:
        if spec.name not in at:
            raise ArtifactError(
                f"the file has no output '{spec.name}', only {', '.join(at)}",
                where=program.where,
                fix="export again: edgectl export",
            )
        tensor = program.tensors[program.outputs[at[spec.name]]]
        rows, columns = (-(-n // spec.stride) if spec.stride else 1 for n in size)
        if len(tensor.shape) == 4 and spec.stride:
            rows, columns = tensor.shape[1:3]
        if rows * columns * spec.channels != math.prod(tensor.shape):
            raise ArtifactError(
                f"output '{spec.name}' is {list(tensor.shape)}, not {rows} x {columns} x {spec.channels}",
                where=program.where,
                fix="export again: edgectl export",
            )
        scale, zero = tensor.scales[0], tensor.zero_points[0]
        heads.append(HeadBytes(at[spec.name], rows, columns, spec.channels, scale, zero))
    return heads


def real_numbers(head: HeadBytes) -> np.ndarray:
    """float32 (256,): what the bytes -128 .. 127 stand for."""
    centered = np.arange(-128, 128).astype(np.float32) - np.float32(head.zero_point)
    with np.errstate(invalid="ignore"):
        return np.asarray(centered * np.float32(head.scale), np.float32)


def write_decoder(model: Mapping[str, Any] | None, heads: list[HeadBytes]) -> Decoder:
    """The two texts.

    Args:
        model: as :func:`edgectl.deploy.reference.decoding` gives it; None where nothing is to be decoded.
        heads: in the order of its ``decode.heads``.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _Writer(model, heads).decoder()


class _Writer:
    def __init__(self, model: Mapping[str, Any] | None, heads: list[HeadBytes]) -> None:
        self.model: Mapping[str, Any] = model or {"threshold": 0.0, "decode": {"program": "none"}}
        self.rule = self.model["decode"]
        self.heads = heads
        self.tables: dict[bytes, str] = {}
        self.texts: list[str] = []
        self.defines = {"DECODE_THRESHOLD": literal(self.model["threshold"])}

    def decoder(self) -> Decoder:
        """Chooses the program."""
        parts = {"classes": self.classes, "cells": self.cells, "boxes": self.boxes}
        if any(h["transform"] not in _TABLED for h in self.rule.get("heads", ())):
            parts = {}  # a length depends on more than one byte
        declared = parts.get(self.rule["program"], self.nothing)()
        roots = self.defines.get("DECODE_ROOTS") == "1"
        special = any(word in t for t in self.texts for word in ("INFINITY", "NAN"))
        base = read_source("decode_base.c")
        if roots or special or any(w in self.defines["DECODE_THRESHOLD"] for w in ("INF", "NAN")):
            base = base.replace("#include <stddef.h>", "#include <math.h>\n#include <stddef.h>")
        code = [base, *self.texts, *declared]
        ram = int(self.defines["DECODE_BYTES"])
        lines = [f"#define {name} {value}" for name, value in self.defines.items()]
        for bound in ("DECODE_CANDIDATES", "DECODE_RESULTS"):
            lines = [_overridable(line, bound) for line in lines]
        header = read_source("decode.h").replace("/* DEFINES */", "\n".join(lines))
        results = int(self.defines["DECODE_RESULTS"])
        return Decoder(header + "\n", "\n\n".join(code) + "\n", results, ram)

    def nothing(self) -> list[str]:
        """No results."""
        self.defines |= {"DECODE_RESULTS": "1", "DECODE_BYTES": str(_RESULT)}
        return [read_source("decode_none.c")]

    def classes(self) -> list[str]:
        """The best few."""
        head = self.heads[0]
        count = min(head.channels, self.model["most_shown"] or head.channels)
        self.bounds(count, count * _RESULT)
        return [self.scores_head(), read_source("decode_score.c"), read_source("decode_classes.c")]

    def cells(self) -> list[str]:
        """Peaks do not touch: at most every other cell is one."""
        head = self.heads[0]
        count = (head.rows * head.columns + 1) // 2
        self.bounds(count, count * _RESULT + head.rows * head.columns * 6)
        self.defines |= {"DECODE_ROWS": str(head.rows), "DECODE_COLUMNS": str(head.columns)}
        return [self.scores_head(), read_source("decode_score.c"), read_source("decode_cells.c")]

    def boxes(self) -> list[str]:
        """One struct a stride."""
        levels: dict[int, dict[str, tuple[Mapping[str, Any], HeadBytes]]] = {}
        for rule, head in zip(self.rule["heads"], self.heads, strict=True):
            levels.setdefault(rule["stride"], {})[rule["part"]] = rule, head
        first, structs = 0, []
        combine = "none"
        for parts in levels.values():
            rule, head = parts["scores"]
            fields: dict[str, object] = {
                "scores": self.head(rule, head, self.score_table(rule, head))
            }
            if "quality" in parts:
                combine = parts["quality"][0]["combine"]
                table = self.score_table(*parts["quality"])
                fields["quality"] = self.head(*parts["quality"], table)
                fields["combine"] = combine.upper()
            sides, lengths = parts["sides"]
            fields["sides"] = self.head(sides, lengths, self.length_table(sides, lengths))
            fields["offset"] = literal(sides["offset"])
            fields["first"] = f"{first}u"
            structs.append("  " + record(fields))
            first += head.rows * head.columns * head.channels
        candidates = min(first, self.rule["most_candidates"])
        results = min(candidates, self.rule["most_results"])
        self.bounds(results, results * _RESULT + candidates * _CANDIDATE)
        self.defines["DECODE_CANDIDATES"] = str(candidates)
        self.defines["DECODE_OVERLAPS"] = str(int(self.rule["suppression"] == "overlap"))
        self.defines["DECODE_OVERLAP"] = literal(self.model["overlap"])
        self.defines["DECODE_ROOTS"] = str(int(combine == "geometric_mean"))
        kind = (
            "enum { NONE, PRODUCT, GEOMETRIC_MEAN };\n\n"
            "/* first: the order of its first score; the point of cell (row, column) is\n"
            " * ((column + offset) * stride, (row + offset) * stride). */\n"
            "typedef struct {\n  head scores, quality, sides;\n  int32_t combine;\n"
            "  float offset;\n  uint32_t first;\n} level;"
        )
        table = f"static const level levels[{len(structs)}] = {{\n" + ",\n".join(structs) + "};"
        return [kind, table, read_source("decode_score.c"), read_source("decode_boxes.c")]

    def bounds(self, results: int, ram: int) -> None:
        """What stands in memory."""
        self.defines |= {"DECODE_RESULTS": str(results), "DECODE_BYTES": str(ram)}

    def scores_head(self) -> str:
        """The only head of a network."""
        rule, head = self.rule["heads"][0], self.heads[0]
        struct = self.head(rule, head, self.score_table(rule, head))
        return f"static const head scores = {struct};"

    def head(self, rule: Mapping[str, Any], head: HeadBytes, table: str) -> str:
        """The struct of one output."""
        fields = {
            "output": head.index,
            "rows": head.rows,
            "columns": head.columns,
            "channels": head.channels,
            "stride": rule["stride"],
            "softmax": int(rule["activation"] == "softmax"),
            "values": table,
        }
        return f"{comment(rule['name'])} {record(fields)}"

    def score_table(self, rule: Mapping[str, Any], head: HeadBytes) -> str:
        """Scores; for softmax, powers of the difference to the largest."""
        if rule["activation"] == "softmax":
            return self.table(np.exp(np.arange(256).astype(np.float32) * -np.float32(head.scale)))
        real = real_numbers(head)
        if rule["activation"] != "sigmoid":
            return self.table(real)
        e = np.exp(-np.abs(real))
        return self.table(np.where(real >= 0, np.float32(1.0), e) / (np.float32(1.0) + e))

    def length_table(self, rule: Mapping[str, Any], head: HeadBytes) -> str:
        """Lengths in pixels."""
        real = real_numbers(head)
        if rule["transform"] == "exp":
            real = np.exp(real)
        return self.table(real * np.float32(rule["stride"] if rule["unit"] == "stride" else 1))

    def table(self, values: np.ndarray) -> str:
        """The name of an array; equal ones are stored once."""
        key = values.astype(np.float32).tobytes()
        if key not in self.tables:
            name = self.tables[key] = f"values{len(self.tables)}"
            words = [literal(v) for v in values]
            rows = [", ".join(words[i : i + _COLUMNS]) for i in range(0, len(words), _COLUMNS)]
            body = ",\n  ".join(rows)
            self.texts.append(f"static const float {name}[256] = {{\n  {body}}};")
        return self.tables[key]


def _overridable(line: str, bound: str) -> str:
    """A bound the compiler's command may lower: the best are kept."""
    if not line.startswith(f"#define {bound} "):
        return line
    return f"#ifndef {bound} /* may be lowered: the best are kept */\n{line}\n#endif"
