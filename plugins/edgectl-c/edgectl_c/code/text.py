"""Numbers and records as C."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

_COLUMNS = 100


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
