"""What lies beside the model files: ``.mud`` for MaixPy3's loader, and the README of the artifact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from edgectl.artifacts.manifest import Manifest
from edgectl.escape.markdown import text
from edgectl.escape.python import quote
from edgectl.spec import PreprocessSpec

_LETTERBOX = [
    "`resize` stretches the frame, this model was trained on frames that keep their aspect ratio: "
    "crop a square first, or train with `--set preprocess.resize=stretch`.",
    "",
]


def mud(param: str, preprocess: PreprocessSpec, shapes: Sequence[tuple[int, int, int]]) -> str:
    """The INI file ``maix.nn.load`` takes. ``shapes``: (width, height, channels) of each output."""
    height, width = preprocess.input_size
    norm = [1.0 / s for s in preprocess.std]
    numbers = ", ".join(
        str(v) for v in (width, height, preprocess.channels, *preprocess.mean, *norm)
    )
    outputs = (f"output{i} = {', '.join(str(n) for n in shape)}" for i, shape in enumerate(shapes))
    weights = PurePosixPath(param).with_suffix(".bin")
    return "\n".join(
        [
            "[basic]",
            "type = awnn",
            f"param = {param}",
            f"bin = {weights}",
            "",
            "[inputs]",
            f"input0 = {numbers}",
            "",
            "[outputs]",
            *outputs,
            "",
        ]
    )


def usage(manifest: Manifest) -> str:
    """Markdown: the experimental files, the known way, and the code for the board."""
    spec = manifest.preprocess
    height, width = spec.input_size
    described = manifest.tensors
    outputs = {
        t.name: tuple(t.facts["whc"]) for t in described.outputs if t.facts.get("whc") is not None
    }
    model = PurePosixPath(manifest.model)
    fallen = [o for o in described.facts.get("ops", []) if o["cpu"]]
    return "\n".join(
        [
            f"# {text(model)}",
            "",
            f"{text(manifest.family)} {text(manifest.variant)}, int8, "
            f"classes: {', '.join(map(text, manifest.classes))}.",
            "",
            "**Experimental.** These files follow the format of the makers' converter; no board has "
            "loaded them yet. The figures in `manifest.json` are those of an integer simulator. The way "
            "that is known to work: upload `maixhub.zip` to MaixHub's model converter (awnn, V831) "
            f"with mean `{', '.join(str(v) for v in spec.mean)}` and norm "
            f"`{', '.join(f'{1 / v:.9g}' for v in spec.std)}`, and use the two files it returns.",
            "",
            *(
                [
                    "On the Cortex-A7 instead of the NPU: "
                    + ", ".join(f"{o['cpu']} {o['name']}" for o in fallen)
                    + ".",
                    "",
                ]
                if fallen
                else []
            ),
            "## On the board (MaixPy3)",
            "",
            "```python",
            "from maix import camera, nn",
            "",
            f'model = {{"param": {quote(str(model))}, "bin": {quote(str(model.with_suffix(".bin")))}}}',
            "options = {",
            '    "model_type": "awnn",',
            f'    "inputs": {{"input0": ({width}, {height}, {spec.channels})}},',
            f'    "outputs": {outputs},',
            f'    "mean": {list(spec.mean)},',
            f'    "norm": {[1.0 / v for v in spec.std]},',
            '    "first_layer_conv_no_pad": False,',
            "}",
            "m = nn.load(model, opt=options)",
            f"image = camera.capture().resize({width}, {height})  # {spec.channel_order}",
            "y = m.forward(image.tobytes(), quantize=True)",
            "```",
            "",
            "`y` holds logits: apply softmax or sigmoid before reading it as a probability.",
            "",
            *(_LETTERBOX if spec.resize == "letterbox" else []),
            *_outputs(manifest),
            "On this machine: `edgectl eval .` runs the files on the simulator.",
            "",
        ]
    )


def _outputs(manifest: Manifest) -> list[str]:
    lines = ["| blob | output | kind | stride | to be applied |", "| --- | --- | --- | --- | --- |"]
    for i, o in enumerate(manifest.outputs):
        cells = (f"output{i}", o.name, o.kind, o.stride, o.activation)
        lines.append("| " + " | ".join(map(text, cells)) + " |")
    point = manifest.operating_point
    if point:
        lines += ["", f"Score threshold: {point.threshold:.3f}, chosen on {text(point.source)}."]
    return [*lines, ""]
