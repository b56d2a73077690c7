"""``golden.h``: images and the outputs the integer executor computes from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_COLUMNS = 32


def write_golden(images: np.ndarray, outputs: Sequence[np.ndarray]) -> str:
    """images: int8 (N, ...); outputs: int8 (N, ...) each."""
    parts = [
        "#include <stdint.h>",
        f"#define GOLDEN_IMAGES {len(images)}",
        f"static const int8_t golden_images[{len(images)}][{images[0].size}] = {{"
        + ",\n".join("{" + _numbers(image) + "}" for image in images)
        + "};",
    ]
    for k, output in enumerate(outputs):
        parts.append(f"static const int8_t golden{k}[{output.size}] = {{{_numbers(output)}}};")
    names = ", ".join(f"golden{k}" for k in range(len(outputs)))
    sizes = ", ".join(str(output[0].size) for output in outputs)
    parts.append(f"static const int8_t *const golden_outputs[{len(outputs)}] = {{{names}}};")
    parts.append(f"static const int32_t golden_bytes[{len(outputs)}] = {{{sizes}}};")
    return "\n".join(parts) + "\n"


def _numbers(values: np.ndarray) -> str:
    words = [str(v) for v in values.reshape(-1).tolist()]
    return ",\n".join(",".join(words[i : i + _COLUMNS]) for i in range(0, len(words), _COLUMNS))


def fnv1a(values: np.ndarray) -> int:
    """The hash the test program prints of a step's rows."""
    h = 2166136261
    for byte in values.tobytes():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h
