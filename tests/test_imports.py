"""Who may import whom (DESIGN.md, section 2), and how long a file may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "edgectl").rglob("*.py"))
DISTRIBUTIONS = sorted(p.parent for p in (ROOT / "plugins").glob("*/edgectl_*/plugin.py"))
PLUGIN_FILES = [f for d in DISTRIBUTIONS for f in sorted(d.rglob("*.py"))]

# a package may import itself, its own level and what stands above it here
LEVELS = [
    {"errors", "types", "protocols"},
    {"config", "nn", "scaffold"},
    {"data", "metrics", "quant", "vendor"},
    {"train", "export", "deploy", "report"},
    {"plugins"},
    {"cli"},
    {"testing"},  # it does what users do
]
LEVEL_OF = {name: i for i, level in enumerate(LEVELS) for name in level}
# a plugin module needs the hook marker, wherever it lives
MARKER = "edgectl.plugins.hookspecs"


def imports(path, *, at_run_time):
    """Absolute module names imported, those under TYPE_CHECKING left out on request."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            hidden |= {id(n) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if at_run_time and id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def package_of(module):
    return module.split(".")[1] if module.startswith("edgectl.") else None


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_core_imports_upwards_only(path):
    parts = path.relative_to(ROOT / "edgectl").parts
    own = LEVEL_OF.get(parts[0].removesuffix(".py"))
    for module in imports(path, at_run_time=True):
        assert not module.startswith("edgectl_"), f"core imports the plugin {module}"
        package = package_of(module)
        if own is None or package is None or module == MARKER:
            continue
        assert LEVEL_OF[package] <= own, f"{parts[0]} may not import {module}"


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_plugins_import_themselves_and_core(path):
    own = next(d.name for d in DISTRIBUTIONS if d in path.parents)
    for module in imports(path, at_run_time=False):
        if module.startswith("edgectl_"):
            assert module.split(".")[0] == own, f"{own} imports {module}"
        assert package_of(module) != "cli"


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_core_names_no_family_and_no_backend(path):
    """In code. Examples in docstrings, help texts and the project template may."""
    # onnx is a library and a file format before it is a backend
    names = {d.name.removeprefix("edgectl_") for d in DISTRIBUTIONS} - {"onnx"}
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
    + [ROOT / "edgectl" / n for n in ("errors.py", "types.py", "protocols.py")]
    + sorted((ROOT / "edgectl" / "plugins").glob("*.py")),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_what_every_command_loads_is_light(path):
    assert not {m.split(".")[0] for m in imports(path, at_run_time=True)} & HEAVY


@pytest.mark.parametrize("path", CORE + PLUGIN_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_one_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
