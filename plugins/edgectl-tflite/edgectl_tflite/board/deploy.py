"""A microcontroller's bundle: the model as a C++ array, and a header that says how to feed and read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgectl.artifacts.manifest import Manifest
from edgectl.errors import ArtifactError

_BYTES_A_LINE = 16
_HEADROOM = 1.25
"""Arena beyond what this machine's interpreter took: pointers are smaller on the device, but its
kernels may ask for scratch buffers of their own."""


def reserved(arena: int) -> int:
    """Bytes the firmware sets aside for an arena that took ``arena`` here: what the header asks for, and
    what a board must have."""
    return -(-int(arena * _HEADROOM) // 1024) * 1024


def write_board_files(
    model: Path, manifest: Manifest, described: Mapping[str, Any], directory: Path
) -> None:
    """``model_data.cc``, ``model_data.h``, ``model_config.h``, ``labels.h``.

    Args:
        described: ``outputs`` and ``ops`` of the file, as
            :meth:`edgectl_tflite.backend.TfliteBackend.describe` says them.

    Raises:
        ArtifactError: an output of the manifest that the file does not have.
    """
    data = model.read_bytes()
    (directory / "model_data.h").write_text(_DATA_HEADER, encoding="ascii")
    (directory / "model_data.cc").write_text(_array(data), encoding="ascii")
    (directory / "model_config.h").write_text(_config(manifest, described), encoding="utf-8")
    (directory / "labels.h").write_text(_labels(manifest.classes), encoding="utf-8")


_DATA_HEADER = """// The model, to be placed in flash.
#pragma once
#include <cstddef>

extern const unsigned char edgectl_model[];
extern const size_t edgectl_model_size;
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
            "alignas(16) const unsigned char edgectl_model[] = {",
            *lines,
            "};",
            f"const size_t edgectl_model_size = {len(data)};",
            "",
        ]
    )


def _config(manifest: Manifest, described: Mapping[str, Any]) -> str:
    rows, columns = manifest.preprocess.input_size
    point = manifest.operating_point
    by_name = {t["name"]: t for t in described["outputs"]}
    absent = sorted({o.name for o in manifest.outputs} - set(by_name))
    if absent:
        raise ArtifactError(
            f"the file has no output '{absent[0]}', only {', '.join(by_name)}",
            fix="export again: edgectl export",
        )
    outputs = [
        f'    {{"{o.name}", "{o.kind}", {o.stride}, {o.channels}, '
        f"{by_name[o.name]['scale']!r}f, {by_name[o.name]['zero_point']}, "
        f"{str(o.applied).lower()}}},"
        for o in manifest.outputs
    ]
    ops = sorted({op["name"] for op in described["ops"]})
    constants = [
        f"constexpr int kRows = {rows};",
        f"constexpr int kColumns = {columns};",
        f'constexpr const char* kChannelOrder = "{manifest.preprocess.channel_order}";',
        "// input byte = pixel - 128",
        "constexpr int kInputOffset = -128;",
    ]
    reserve = manifest.tensors.ram_bytes
    if reserve:
        constants += [
            "// measured on this machine, with a quarter to spare",
            f"constexpr int kArenaBytes = {reserve};",
        ]
    if point:
        constants += [
            f"// chosen on {point.source}",
            f"constexpr float kThreshold = {point.threshold!r}f;",
        ]
    return "\n".join(
        [
            "// How to feed the model and read it. real = scale * (q - zero_point)",
            "#pragma once",
            "",
            "namespace edgectl {",
            "",
            *constants,
            "",
            "struct Output {",
            "  const char* name;",
            "  const char* kind;",
            "  int stride;",
            "  int channels;",
            "  float scale;",
            "  int zero_point;",
            "  bool applied;  // the activation is in the file",
            "};",
            "",
            f"constexpr Output kOutputs[{len(outputs)}] = {{",
            *outputs,
            "};",
            "",
            f"// for MicroMutableOpResolver<{len(ops)}>: " + ", ".join(ops),
            f"constexpr int kOps = {len(ops)};",
            "",
            "}  // namespace edgectl",
            "",
        ]
    )


def _labels(classes: Sequence[str]) -> str:
    quoted = ", ".join('"' + _escaped(name) + '"' for name in classes)
    return f"#pragma once\n\nconstexpr const char* kLabels[{len(classes)}] = {{{quoted}}};\n"


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
