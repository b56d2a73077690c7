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


_EXAMPLE = '''
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter("MODEL_FILE")
interpreter.allocate_tensors()
signature = interpreter.get_signature_runner()
SCALES = SCALE_TABLE  # of each output: real = scale * (byte - zero point)


def run(pixels):
    """The bytes as they are, less 128; outputs are channels last, or a row a cell."""
    (entry,) = interpreter.get_input_details()
    x = FEED
    found = signature(**{INPUT_NAME: x[None].reshape(entry["shape"])})
    heads = {}
    for rule in MODEL["decode"]["heads"]:
        name, stride = rule["name"], rule["stride"]
        scale, zero = SCALES[name]
        y = (found[name][0].astype(np.float32) - np.float32(zero)) * np.float32(scale)
        if stride:
            rows, columns = (-(-side // stride) for side in MODEL["input_size"])
            y = y.reshape(rows, columns, -1).transpose(2, 0, 1)
        heads[name] = y if stride else y.reshape(-1)
    return heads
'''


def example(manifest: Manifest) -> str:
    """Python that runs the file on LiteRT."""
    integer = manifest.precision == "int8"
    scales = {
        t.name: (t.scale if t.scale is not None else 1.0, t.zero_point or 0)
        for t in manifest.tensors.outputs
    }
    feed = "(pixels.astype(np.int16) - 128).astype(np.int8)"
    words = {
        "MODEL_FILE": manifest.model,
        "SCALE_TABLE": repr(scales),
        "FEED": feed if integer else "pixels.astype(np.float32) / np.float32(255)",
        "INPUT_NAME": repr(manifest.tensors.inputs[0].name),
    }
    text = _EXAMPLE
    for word, value in words.items():
        text = text.replace(word, value)
    return text if integer else text.replace("The bytes as they are, less 128", "Pixel / 255")
