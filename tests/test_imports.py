"""Who may import whom (ARCHITECTURE.md), and how long files and folders may be."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "edgectl").rglob("*.py"))
DISTRIBUTIONS = sorted(p.parent for p in (ROOT / "plugins").glob("*/edgectl_*/plugin.py"))
PLUGIN_FILES = [f for d in DISTRIBUTIONS for f in sorted(d.rglob("*.py"))]

GROUND = {"errors", "spec", "files", "labels", "locks", "leftovers", "escape"}
# room -> the rooms it may import, imports under TYPE_CHECKING included; every room may import itself
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "escape": set(),
    "spec": {"escape"},
    "owners": set(),
    "locks": {"errors", "owners"},
    "leftovers": {"owners", "locks"},
    "files": {"errors", "leftovers", "locks"},
    "labels": {"spec"},
    "config": GROUND,
    "plugins": GROUND,
    "nn": GROUND,
    "scaffold": GROUND | {"plugins"},
    "quant": GROUND | {"config"},
    "data": GROUND | {"config", "plugins", "nn"},
    "metrics": GROUND | {"config", "plugins", "nn", "data"},
    "tasks": GROUND | {"config", "plugins", "nn", "data", "metrics"},
    "toolchains": GROUND | {"config", "plugins"},
}
BASE = set(ROOMS) - {"scaffold"}
ROOMS["runs"] = BASE - {"quant", "toolchains"}
ROOMS["artifacts"] = BASE - {"quant", "toolchains"}
ROOMS["backends"] = BASE | {"artifacts"}
ROOMS["train"] = BASE | {"runs"}
# where a network comes from: above the checkpoint of a family, beside it the files of other programs
ROOMS["sources"] = BASE | {"runs", "backends"}
ROOMS["evaluation"] = BASE | {"runs", "backends", "artifacts", "sources"}
ROOMS["export"] = ROOMS["evaluation"] | {"evaluation"}
ROOMS["qat"] = ROOMS["export"] | {"export", "train"}
ROOMS["deploy"] = ROOMS["export"] | {"export"}
ROOMS["report"] = ROOMS["evaluation"] | {"evaluation"}
ROOMS["workflows"] = ROOMS["qat"] | {"qat", "deploy", "report", "scaffold"}
ROOMS["testing"] = ROOMS["workflows"] | {"workflows"}
ROOMS["cli"] = ROOMS["workflows"] | {"workflows"}
# a plugin module needs the hook marker, wherever it lives
MARKER = "edgectl.plugins.hookspecs"


def imports(path):
    """Absolute module names imported, with those under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            if node.module == "edgectl":
                yield from (f"edgectl.{a.name}" for a in node.names)


def imported_at_start(path):
    """Absolute module names that importing the file imports."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def package_of(module):
    return module.split(".")[1] if module.startswith("edgectl.") else None


def test_the_table_of_rooms_is_acyclic():
    graphlib.TopologicalSorter({room: may - {room} for room, may in ROOMS.items()}).prepare()


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_what_the_table_allows(path):
    own = path.relative_to(ROOT / "edgectl").parts[0].removesuffix(".py")
    for module in imports(path):
        assert not module.startswith("edgectl_"), f"core imports the plugin {module}"
        room = package_of(module)
        if own not in ROOMS or room not in ROOMS or module == MARKER:
            continue
        assert room == own or room in ROOMS[own], f"{own} may not import {module}"


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_plugins_import_themselves_and_core(path):
    own = next(d.name for d in DISTRIBUTIONS if d in path.parents)
    for module in imports(path):
        if module.startswith("edgectl_"):
            assert module.split(".")[0] == own, f"{own} imports {module}"
        assert package_of(module) != "cli"


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_core_names_no_family_and_no_backend(path):
    """In code. Examples in docstrings, help texts and the project template may."""
    # onnx is a library and a file format before it is a backend, c a letter
    names = {d.name.removeprefix("edgectl_") for d in DISTRIBUTIONS} - {"onnx", "c"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.Attribute):
            used = node.id if isinstance(node, ast.Name) else node.attr
            assert used.lower() not in names
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value.lower() not in names


HEAVY = {"torch", "cv2", "numpy", "torchvision", "accelerate", "matplotlib"}


@pytest.mark.parametrize(
    "path",
    [d / "plugin.py" for d in DISTRIBUTIONS]
    + [ROOT / "edgectl" / n for n in ("errors.py", "spec.py", "files.py")]
    + sorted((ROOT / "edgectl" / "plugins").glob("*.py")),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_what_every_command_loads_is_light(path):
    assert not {m.split(".")[0] for m in imported_at_start(path)} & HEAVY


@pytest.mark.parametrize("path", CORE + PLUGIN_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_one_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


@pytest.mark.parametrize(
    "folder",
    sorted({p.parent for p in CORE + PLUGIN_FILES}),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_a_folder_can_be_read_at_a_glance(folder):
    assert len(list(folder.glob("*.py"))) <= 20
