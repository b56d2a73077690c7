"""The README that travels with an artifact: how to feed the file and read what it writes."""

from __future__ import annotations

from edgectl.artifacts.manifest import Manifest, Tensor
from edgectl.escape.markdown import text
from edgectl.tasks.decode_rule import head_notes


def usage(manifest: Manifest) -> str:
    """Markdown from the manifest's ``preprocess``, ``outputs``, ``classes`` and ``tensors``."""
    integer = manifest.precision == "int8"
    feed = (
        "`int8 = uint8 - 128` of every byte; nothing is divided or subtracted on the device"
        if integer
        else "`pixel / 255` as float32"
    )
    spec = manifest.preprocess
    height, width = spec.input_size
    lines = [
        f"# {text(manifest.model)}",
        "",
        f"{text(manifest.family)} {text(manifest.variant)}, {manifest.precision}, "
        f"classes: {', '.join(map(text, manifest.classes))}.",
        "",
        "## Input",
        "",
        f"One tensor, {height} x {width}, channels last, order {spec.channel_order}: {feed}.",
        f"The image is resized by {spec.resize}"
        + (
            f", padded {spec.pad_side.replace('_', ' ')} with {spec.pad_value}."
            if spec.resize == "letterbox"
            else "."
        ),
        *_caution(manifest),
        "",
        "## Outputs",
        "",
        "| name | kind | stride | shape | scale | zero point | activation |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    described = {t.name: t for t in manifest.tensors.outputs}
    for output in manifest.outputs:
        tensor = described.get(output.name)
        activation: str = output.activation
        if activation != "none":
            activation += ", in the file" if output.applied else ", to be applied"
        name, kind = text(output.name), text(output.kind)
        lines.append(f"| {name} | {kind} | {output.stride} | {_said(tensor)} | {activation} |")
    lines += ["", "`real = scale * (q - zero_point)`."] if integer else []
    lines += ["", *_threshold(manifest), *_memory(manifest), "## Run it", "", *_run(manifest)]
    return "\n".join(lines) + "\n"


def _said(tensor: Tensor | None) -> str:
    """Shape, scale and zero point."""
    if tensor is None:
        return " |  | "
    shape = "" if tensor.shape is None else list(tensor.shape)
    return f"{shape} | {tensor.scale} | {tensor.zero_point}"


def _caution(manifest: Manifest) -> list[str]:
    """What a reader of this kind of output, or the writer of the firmware, gets wrong."""
    lines = head_notes(manifest.outputs)
    if manifest.preprocess.resize == "letterbox":
        lines.append(
            "A firmware that stretches the frame instead of keeping its aspect ratio needs a model "
            "trained so: `--set preprocess.resize=stretch`."
        )
    return lines


def _threshold(manifest: Manifest) -> list[str]:
    point = manifest.operating_point
    if not point:
        return []
    return [f"Score threshold: {point.threshold:.3f}, chosen on {text(point.source)}.", ""]


def _memory(manifest: Manifest) -> list[str]:
    arena = manifest.tensors.arena
    if arena is None:
        return []
    return [
        f"Tensor arena: {arena.total} bytes, of which {arena.activations} are activations "
        "(the rest is bookkeeping, about half as much on a 32-bit device).",
        "",
    ]


def _run(manifest: Manifest) -> list[str]:
    operators = manifest.tensors.facts.get("ops", [])
    names = ", ".join(text(op["name"]) for op in operators)
    model = manifest.model
    return [
        f"On a microcontroller: put `{model}` into flash (`xxd -i {model}`), register the ops "
        f"({names}) in the `MicroMutableOpResolver`, copy the bytes into `input(0)` and call "
        "`Invoke()`.",
        "",
        f"For an Ethos-U: `vela {model} --accelerator-config ethos-u55-64`.",
        "",
        "On this machine: `edgectl eval . --runtime tflm`.",
    ]
