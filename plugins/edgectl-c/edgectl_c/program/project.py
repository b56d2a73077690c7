"""The files around the sources: README, CMake, Arduino, ESP-IDF, Zephyr, pico-sdk."""

from __future__ import annotations

import re
from pathlib import Path

from edgectl.artifacts.manifest import Manifest
from edgectl.plugins.info import BoardInfo
from edgectl_c.plan.plan import Plan
from edgectl_c.program.boards import BOARDS, GENERIC, Tools, pin_lines
from edgectl_c.program.readme import write_readme
from edgectl_c.program.source import read_source
from edgectl_c.program.texts import ProgramTexts


def write_project(
    texts: ProgramTexts, plan: Plan, manifest: Manifest, board: BoardInfo, directory: Path
) -> None:
    """Everything a toolchain asks for beside C."""
    tools = BOARDS.get(board.name, GENERIC)
    name = library_name(manifest)
    for path, text in {**texts.files, **_projects(tools, name, manifest)}.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    readme = write_readme(texts, plan, manifest, board, tools, name)
    (directory / "README.md").write_text(readme, encoding="utf-8")


def library_name(manifest: Manifest) -> str:
    """Letters, digits and underscores, as Arduino wants it."""
    words = re.sub(r"\W+", "_", f"{manifest.family}_{manifest.variant}", flags=re.ASCII)
    return f"edgectl_{words.strip('_')}"[:60]


def _projects(tools: Tools, name: str, manifest: Manifest) -> dict[str, str]:
    sentence = f"{name.removeprefix('edgectl_').replace('_', ' ')}, int8, exported by edgectl"
    sketch = read_source(f"sketch/{tools.sketch}.ino")
    files = {
        "CMakeLists.txt": read_source("CMakeLists.txt"),
        "library.properties": read_source("library.properties"),
        "idf_component.yml": read_source("idf_component.yml"),
        "examples/edgectl/edgectl.ino": sketch.replace(
            "@PINS@", pin_lines(tools.pins) if tools.pins else ""
        ),
        "examples/zephyr/CMakeLists.txt": read_source("zephyr/CMakeLists.txt"),
        "examples/zephyr/prj.conf": read_source("zephyr/prj.conf"),
        "examples/zephyr/camera.c": read_source("camera.c"),
        "examples/pico/CMakeLists.txt": read_source("pico/CMakeLists.txt"),
        "examples/pico/start.c": read_source("pico/start.c"),
        "examples/pico/camera.c": read_source("camera.c"),
        "examples/esp_idf/CMakeLists.txt": read_source("esp_idf/CMakeLists.txt"),
        "examples/esp_idf/main/CMakeLists.txt": read_source("esp_idf/main/CMakeLists.txt"),
        "examples/esp_idf/main/camera.c": read_source("camera.c"),
    }
    return {
        path: text.replace("@LIBRARY@", name).replace("@SENTENCE@", sentence)
        for path, text in files.items()
    }
