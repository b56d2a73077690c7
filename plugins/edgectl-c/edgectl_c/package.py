"""The README that travels with an artifact."""

from __future__ import annotations

from edgectl.artifacts.manifest import Manifest
from edgectl.escape.markdown import text


def usage(manifest: Manifest) -> str:
    """Markdown from the manifest's ``preprocess``, ``outputs``, ``classes`` and ``tensors``."""
    spec, tensors = manifest.preprocess, manifest.tensors
    height, width = spec.input_size
    whole = tensors.arena is None or tensors.arena.facts.get("input") != 0
    lines = [
        f"# {text(manifest.family)} {text(manifest.variant)} as C",
        "",
        f"Classes: {', '.join(map(text, manifest.classes))}.",
        "",
        f"Input: {height} x {width}, rows x pixels x channels, order {spec.channel_order}, every byte "
        f"pixel - 128; the image is resized by {spec.resize}.",
        f"Arena: {tensors.arena_bytes} bytes. Flash: about {tensors.flash_bytes} bytes.",
        "",
        "| output | shape | scale | zero point |",
        "| --- | --- | --- | --- |",
        *(
            f"| {text(o.name)} | {list(o.shape or ())} | {o.scale} | {o.zero_point} |"
            for o in tensors.outputs
        ),
        "",
        "`real = scale * (byte - zero point)`.",
        "",
        *_call(whole),
        "",
        "Put `model.c` and `model.h` into the project; they need a C99 compiler and `string.h`.",
        "",
        "On this machine: `edgectl eval . --runtime c`. On a Cortex-M in QEMU: `edgectl deploy verify .`.",
    ]
    return "\n".join(lines) + "\n"


def _call(whole: bool) -> list[str]:
    feed = (
        ["memcpy(model_input(), image, MODEL_INPUT_BYTES);", "model_run();"]
        if whole
        else ["model_run_rows(camera_row, NULL);  /* asks for every row, once, in order */"]
    )
    return [
        "```c",
        '#include "model.h"',
        "",
        "model_init();",
        *feed,
        "const int8_t *first = model_output(0);",
        "```",
    ]
