"""The README that travels with an artifact."""

from __future__ import annotations

from edgectl.artifacts.manifest import Manifest
from edgectl.escape.markdown import text
from edgectl.tasks.decode_rule import head_notes
from edgectl_hailo.plan import CALIBRATION, COMPILE, HEF, OPTIMISED, PARSED, SCRIPT, SETTINGS


def usage(manifest: Manifest) -> str:
    """Markdown from the manifest; what is there and what is left to do."""
    spec = manifest.preprocess
    height, width = spec.input_size
    built = manifest.built
    order = "gray" if spec.channels == 1 else "red first"
    return "\n".join(
        [
            f"# {text(manifest.family)} {text(manifest.variant)} for Hailo",
            "",
            *(_built(manifest) if built else _PLANNED),
            *(f"- {text(remark)}" for remark in manifest.remarks),
            "",
            "| file | |",
            "| --- | --- |",
            "| `model.onnx` | the float network, opset 13, `(pixel - mean) / std` as its input |",
            f"| `{SCRIPT}` | model script: normalization, optimization level |",
            f"| `{CALIBRATION}` | uint8 (N, {height}, {width}, {spec.channels}), {order}, not normalized |",
            f"| `{COMPILE}`, `{SETTINGS}` | the compiler's three stages, and what they read |",
            *(
                [f"| `{PARSED}`, `{OPTIMISED}` | after parsing, after quantizing |"]
                if built
                else []
            ),
            "",
            f"The HEF takes uint8 {height} x {width} x {spec.channels}, {order}, resized by {spec.resize}; "
            "normalization is on the chip. **Do not normalize again.**",
            "",
            "| output | kind | stride | channels | to be applied |",
            "| --- | --- | --- | --- | --- |",
            *(
                f"| {text(o.name)} | {text(o.kind)} | {o.stride} | {o.channels} | {o.activation} |"
                for o in manifest.outputs
            ),
            "",
            *(line for note in head_notes(manifest.outputs) for line in (note, "")),
            f"The HEF has names of its own for them; `{SETTINGS}` says which ONNX node each was made of, and "
            "`HEF.get_original_names_from_vstream_name` finds it again.",
            "",
            "On a Raspberry Pi 5: `edgectl deploy . --target rpi5-hailo8l`"
            + ("" if built else " `--converted model.hef`")
            + " writes the program.",
            "",
        ]
    )


_PLANNED = [
    "**A plan.** Hailo's compiler was not there. Copy this directory to where it is installed and run",
    "",
    "    ./build.sh",
    "",
    f"with its environment active; it leaves `{HEF}`.",
    "",
]


def _built(manifest: Manifest) -> list[str]:
    facts = manifest.require_compiler().facts
    stages = ", ".join(f"{s['stage']} {s['seconds']} s" for s in facts.get("stages", []))
    return [
        f"`{HEF}` for {text(facts.get('hw_arch', '?'))}, "
        f"compiler {text(facts.get('sdk_version') or '?')}: {text(stages)}.",
        "",
    ]
