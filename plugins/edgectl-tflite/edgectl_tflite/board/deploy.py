"""For firmware that runs TensorFlow Lite Micro: the model as an array, in C and in C++."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_BYTES_A_LINE = 16
_HEADROOM = 1.25
"""Arena beyond what this machine's interpreter took: pointers are smaller on the device, but its
kernels may ask for scratch buffers of their own."""


def reserved(arena: int) -> int:
    """Bytes the firmware sets aside for an arena that took ``arena`` here: what the header asks for, and
    what a board must have."""
    return -(-int(arena * _HEADROOM) // 1024) * 1024


def write_board_files(
    model: Path, directory: Path, *, ops: Sequence[str], ram_bytes: int | None
) -> None:
    """``model_data.c`` and ``model_data.h``.

    Args:
        ops: names of the operators the file uses.
        ram_bytes: what the firmware is to set aside; None where nobody measured it.
    """
    data = model.read_bytes()
    header = _header(ops, ram_bytes)
    (directory / "model_data.h").write_text(header, encoding="ascii")
    (directory / "model_data.c").write_text(_array(data), encoding="ascii")


def _header(ops: Sequence[str], ram_bytes: int | None) -> str:
    known = [name for name in ops if name.isidentifier()]
    lines = [
        "/* The model, to be placed in flash. Input byte = pixel - 128. */",
        "#ifndef MODEL_DATA_H",
        "#define MODEL_DATA_H",
        "",
        f"/* for a MicroMutableOpResolver: {', '.join(known)} */",
        f"#define MODEL_DATA_OPS {len(ops)}",
    ]
    if ram_bytes:
        lines += [
            "/* measured on this machine, with a quarter to spare */",
            f"#define MODEL_DATA_ARENA {ram_bytes}",
        ]
    return "\n".join([*lines, _DECLARATION])


_DECLARATION = """
#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char edgectl_model[];
extern const unsigned long edgectl_model_size;

#ifdef __cplusplus
}
#endif

#endif
"""


def _array(data: bytes) -> str:
    lines = [
        "    " + " ".join(f"0x{b:02x}," for b in data[i : i + _BYTES_A_LINE])
        for i in range(0, len(data), _BYTES_A_LINE)
    ]
    return "\n".join(
        [
            '#include "model_data.h"',
            "",
            "__attribute__((aligned(16))) const unsigned char edgectl_model[] = {",
            *lines,
            "};",
            f"const unsigned long edgectl_model_size = {len(data)};",
            "",
        ]
    )
