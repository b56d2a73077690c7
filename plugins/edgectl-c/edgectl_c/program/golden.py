"""``golden.h``: images, the bytes the integer executor computes from them, and what those mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgectl.deploy.reference import Result, decode
from edgectl.escape.c import literal
from edgectl.spec import OutputSpec
from edgectl_c.program.decode import HeadBytes, real_numbers

_COLUMNS = 32
_NOWHERE = (0.0, 0.0, 0.0, 0.0)


def write_golden(
    images: np.ndarray, outputs: Sequence[np.ndarray], results: Sequence[Sequence[Result]]
) -> str:
    """images: int8 (N, ...); outputs: int8 (N, ...) each; results: of each image, the best."""
    parts = [
        "#include <stdint.h>",
        '#include "decode.h"',
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
    counts = ", ".join(str(len(found)) for found in results)
    parts.append(f"static const int32_t golden_counts[{len(results)}] = {{{counts}}};")
    rows = [_result(r) for found in results for r in found] or ["{0, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f}"]
    body = ",\n  ".join(rows)
    parts.append(f"static const decode_result golden_results[{len(rows)}] = {{\n  {body}}};")
    return "\n".join(parts) + "\n"


def decode_outputs(
    model: Mapping[str, Any],
    specs: Sequence[OutputSpec],
    heads: Sequence[HeadBytes],
    outputs: Sequence[np.ndarray],
    most: int,
) -> list[list[Result]]:
    """What Python's decoder makes of the bytes, an image a list.

    Args:
        model: see :func:`edgectl.deploy.reference.decoding`.
        outputs: int8 (N, ...), in the order of the library.
        most: results a list holds at most.
    """
    results = []
    for image in range(len(outputs[0])):
        named = {}
        for spec, head in zip(specs, heads, strict=True):
            raw = outputs[head.index][image].reshape(head.rows, head.columns, head.channels)
            real = real_numbers(head)[raw.astype(np.int64) + 128].transpose(2, 0, 1)
            named[spec.name] = real if spec.stride else real.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            results.append(decode(named, model)[:most])
    return results


def _result(result: Result) -> str:
    label, score, box = result
    # what is no number on the device compares unequal to everything, itself included
    numbers = [v if np.isfinite(v) else 0.0 for v in (score, *(box or _NOWHERE))]
    return "{" + ", ".join([str(label), *map(literal, numbers)]) + "}"


def _numbers(values: np.ndarray) -> str:
    words = [str(v) for v in values.reshape(-1).tolist()]
    return ",\n".join(",".join(words[i : i + _COLUMNS]) for i in range(0, len(words), _COLUMNS))


def fnv1a(values: np.ndarray) -> int:
    """The hash the test program prints of a step's rows."""
    h = 2166136261
    for byte in values.tobytes():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h
