"""``preprocess.c`` and ``preprocess.h`` of a model."""

from __future__ import annotations

from edgectl.spec import PreprocessSpec
from edgectl_c.program.source import read_source


def write_preprocess(spec: PreprocessSpec, channels: int) -> tuple[str, str]:
    """(header, code)."""
    rows, columns = spec.input_size
    defines = {
        "ROWS": rows,
        "COLUMNS": columns,
        "CHANNELS": channels,
        "LETTERBOX": int(spec.resize == "letterbox"),
        "PAD": spec.pad_value,
        "PAD_CENTER": int(spec.pad_side == "center"),
        "BGR": int(spec.channel_order == "bgr"),
    }
    lines = "\n".join(f"#define PREPROCESS_{name} {value}" for name, value in defines.items())
    header = read_source("preprocess.h").replace("/* DEFINES */", lines)
    return header + "\n", read_source("preprocess.c") + "\n"
