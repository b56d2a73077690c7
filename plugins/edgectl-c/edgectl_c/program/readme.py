"""The README of a bundle: from this directory to a running board."""

from __future__ import annotations

from edgectl.artifacts.manifest import Manifest
from edgectl.plugins.info import BoardInfo
from edgectl_c.plan.plan import Plan
from edgectl_c.program.boards import Tools
from edgectl_c.program.source import read_source
from edgectl_c.program.texts import ProgramTexts


def write_readme(
    texts: ProgramTexts, plan: Plan, manifest: Manifest, board: BoardInfo, tools: Tools, name: str
) -> str:
    """Markdown. Every command is run from the bundle's directory."""
    parts = [
        _facts(texts, plan, manifest, board),
        _host(),
        _arduino(tools, name) if tools.arduino else [],
        _esp_idf(tools) if tools.esp_idf else [],
        _zephyr(tools) if tools.zephyr else [],
        _pico(tools) if tools.pico else [],
        ["## Other toolchains", "", tools.note or _OTHER, ""]
        if tools.note or not tools.arduino
        else [],
        _seen(texts, manifest),
        [read_source("readme_tail.md")],
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


_OTHER = "Compile `model.c preprocess.c decode.c main.c` as C99 at -O2 and link them; nothing else is needed."


def plain(text: str) -> str:
    """One line without marks of Markdown."""
    return "".join(
        c if c.isprintable() and c not in "`<>|*\\" else "_" for c in " ".join(text.split())
    )


def _facts(texts: ProgramTexts, plan: Plan, manifest: Manifest, board: BoardInfo) -> list[str]:
    spec, point = manifest.preprocess, manifest.operating_point
    rows, columns = spec.input_size
    pad = (
        f", padded {spec.pad_side.replace('_', ' ')} with {spec.pad_value}"
        if spec.resize == "letterbox"
        else ""
    )
    classes = ", ".join(plain(c) for c in manifest.classes)
    lines = [
        f"# {plain(manifest.family)} {plain(manifest.variant)} on {board.name}",
        "",
        f"{plain(board.summary)}.",
        "",
        f"- Finds: {classes}.",
        f"- Input: {rows} rows, {columns} columns, {spec.channel_order}, resized by {spec.resize}{pad}; "
        "`preprocess.c` does it.",
        f"- RAM: {plan.arena_bytes:,} bytes for the network, {texts.decoder.ram_bytes:,} for decoding, "
        "less than 2 KiB of stack; and the camera's frame.",
    ]
    if point:
        lines.append(f"- Score threshold: {point.threshold:.3f}, chosen on {plain(point.source)}.")
    if not texts.decodes:
        lines.append(
            "- There is no decoder in C for this network: `model_output(k)` gives the raw bytes."
        )
    return [
        *lines,
        "",
        "`edgectl deploy` writes this directory anew: copy it before you change it.",
        "",
    ]


def _host() -> list[str]:
    return [
        "## Try it on this computer",
        "",
        "```sh",
        "cmake -B build",
        "cmake --build build",
        "./build/edgectl_program",
        "```",
        "",
        "It tests itself as the board will; the last lines are `self-test passed` and `no frame`.",
        "",
    ]


def _arduino(tools: Tools, name: str) -> list[str]:
    return [
        "## Arduino",
        "",
        "```sh",
        f"arduino-cli core install {tools.core}",
        f"arduino-cli compile --fqbn {tools.arduino} --library . examples/edgectl",
        f"arduino-cli upload --fqbn {tools.arduino} --port /dev/ttyACM0 examples/edgectl",
        "arduino-cli monitor --port /dev/ttyACM0 --config baudrate=115200",
        "```",
        "",
        "Or in the IDE: zip this directory; Sketch > Include Library > Add .ZIP Library; then "
        f"File > Examples > {name} > edgectl, and Upload.",
        "",
        *(
            ["The sketch has no camera yet: fill in `camera_frame`.", ""]
            if tools.sketch == "plain"
            else []
        ),
    ]


def _esp_idf(tools: Tools) -> list[str]:
    return [
        "## ESP-IDF",
        "",
        "This directory is a component (`idf_component.yml`, `CMakeLists.txt`); `examples/esp_idf` is a "
        "project that uses it.",
        "",
        "```sh",
        f"idf.py -C examples/esp_idf set-target {tools.esp_idf}",
        "idf.py -C examples/esp_idf build",
        "idf.py -C examples/esp_idf flash monitor",
        "```",
        "",
        "The camera: `idf.py -C examples/esp_idf add-dependency espressif/esp32-camera`, then fill in "
        "`examples/esp_idf/main/camera.c`.",
        "",
    ]


def _zephyr(tools: Tools) -> list[str]:
    return [
        "## Zephyr",
        "",
        "```sh",
        f"west build -b {tools.zephyr} examples/zephyr",
        "west flash",
        "```",
        "",
        "The camera: fill in `examples/zephyr/camera.c`.",
        "",
    ]


def _pico(tools: Tools) -> list[str]:
    return [
        "## pico-sdk",
        "",
        "```sh",
        f"cmake -B build-pico -S examples/pico -DPICO_BOARD={tools.pico}",
        "cmake --build build-pico",
        "```",
        "",
        "`PICO_SDK_PATH` names the SDK. Hold BOOTSEL, plug the board in, and copy "
        "`build-pico/edgectl_app.uf2` to the drive that appears. The camera: fill in "
        "`examples/pico/camera.c`.",
        "",
    ]


def _seen(texts: ProgramTexts, manifest: Manifest) -> list[str]:
    boxed = texts.decodes and manifest.outputs[0].stride
    place = " at 12 40 to 28 56" if boxed else ""
    return [
        "## What you should see",
        "",
        "```text",
        "edgectl-verify 1",
        "image 0",
        *(f"differs {k} 0 0" for k in range(len(manifest.outputs))),
        "decoded 2 0 0",
        "done",
        "self-test passed",
        f"{plain(manifest.classes[0])} 87%{place}",
        "```",
        "",
        "The zeros are bytes that differ from what was computed before the model was sent here, and "
        "results that do. Then a line a result"
        + (": pixels of the camera's frame, left top to right bottom." if boxed else ".")
        + " 115200 baud.",
        "",
    ]
