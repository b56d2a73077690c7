"""Words and numbers as C."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

_COLUMNS = 100


def quote(text: str) -> str:
    """A C string literal of any text, as UTF-8: what stands in it, nothing can end.

    Everything but plain letters, digits and spaces is written as three octal digits: no quote, no backslash,
    no line end, no trigraph and no end of a comment gets through, and no digit behind can join in.
    """
    return '"' + "".join(map(_octal, text.encode("utf-8", "replace"))) + '"'


def _octal(byte: int) -> str:
    c = chr(byte)
    return c if c.isascii() and (c.isalnum() or c in " _-.") else f"\\{byte:03o}"


def comment(text: str) -> str:
    """A comment of any text: letters, digits and harmless marks; the rest becomes an underscore."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in " _-.,:()[]") else "_" for c in text)
    return f"/* {safe} */"


def array(kind: str, name: str, values: Iterable[int] | np.ndarray) -> str:
    """A constant array."""
    numbers = [str(int(v)) for v in np.asarray(values).reshape(-1)]
    lines, line = [], ""
    for n in numbers:
        if len(line) + len(n) + 1 > _COLUMNS:
            lines.append(line)
            line = ""
        line += n + ","
    lines.append(line.removesuffix(","))
    body = "\n  ".join(lines)
    return f"static const {kind} {name}[{len(numbers)}] = {{\n  {body}}};"


def record(fields: Mapping[str, object]) -> str:
    """A designated initializer."""
    return "{" + ", ".join(f".{k} = {v}" for k, v in fields.items()) + "}"


def literal(value: float) -> str:
    """The nearest float, as a literal."""
    v = np.float32(value)
    if np.isnan(v):
        return "NAN"
    if np.isinf(v):
        return "INFINITY" if v > 0 else "-INFINITY"
    return np.format_float_scientific(v, trim="0") + "f"
