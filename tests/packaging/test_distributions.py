"""The distributions of the repository: one version, one licence, complete wheels."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = [ROOT, *sorted(p.parent for p in (ROOT / "plugins").glob("*/pyproject.toml"))]


def project(directory: Path) -> dict[str, Any]:
    with (directory / "pyproject.toml").open("rb") as f:
        table: dict[str, Any] = tomllib.load(f)["project"]
    return table


VERSION = project(ROOT)["version"]


@pytest.mark.parametrize("directory", PROJECTS, ids=lambda p: p.name)
def test_one_version_one_licence_and_a_description(directory: Path) -> None:
    table = project(directory)
    assert table["version"] == VERSION
    assert table["license"] == "Apache-2.0" and table["license-files"] == ["LICENSE"]
    assert (directory / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert table["readme"] == "README.md" and (directory / "README.md").stat().st_size > 100
    assert "Programming Language :: Python :: 3.11" in table["classifiers"]


def test_all_pins_every_distribution_to_this_version() -> None:
    pinned = project(ROOT / "plugins/edgectl-all")["dependencies"]
    names = {re.sub(r"\[.*\]", "", d.partition("==")[0]) for d in pinned}
    assert names == {project(p)["name"] for p in PROJECTS} - {"edgectl-all"}
    assert all(d.endswith(f"=={VERSION}") for d in pinned)
    assert project(ROOT)["optional-dependencies"]["all"] == [f"edgectl-all=={VERSION}"]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what is tracked: a build directory left in the tree would add files of its own."""
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("dist")
    words = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(out)]
    places = [str(source / p.relative_to(ROOT)) for p in PROJECTS]
    subprocess.run([sys.executable, *words, *places], check=True, cwd=source)
    return out


@pytest.mark.slow
def test_wheels_hold_every_tracked_file_of_their_packages(wheels: Path) -> None:
    assert len(list(wheels.glob("*.whl"))) == len(PROJECTS)
    for directory in PROJECTS:
        name = project(directory)["name"].replace("-", "_")
        (wheel,) = wheels.glob(f"{name}-{VERSION}-*.whl")
        inside = set(zipfile.ZipFile(wheel).namelist())
        assert any(n.endswith("licenses/LICENSE") for n in inside), name
        listed = subprocess.run(
            ["git", "ls-files", name], cwd=directory, capture_output=True, check=True, text=True
        )
        assert set(listed.stdout.split("\n")) - {""} <= inside, name


@pytest.mark.slow
def test_wheels_in_a_fresh_environment_run_the_demo(wheels: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env/bin/python"
    install = ["-m", "pip", "install", "--quiet", "--find-links", str(wheels), "edgectl[all]"]
    subprocess.run([str(python), *install], check=True)
    variables = {
        **os.environ,
        "EDGECTL_CACHE": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }

    def edgectl(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [str(python), "-m", "edgectl", *words, "--json"],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
        )
        document: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == 0, document["error"]
        return document["data"]

    states = {p["name"]: p["state"] for p in edgectl("plugins", "list")["plugins"]}
    assert set(states.values()) == {"ok"} and len(states) >= len(PROJECTS) - 1
    edgectl("demo")
    edgectl("plugins", "new", "mychip", "--kind", "backend")
    edgectl("doctor")


@pytest.mark.slow
def test_the_image_builds_and_runs() -> None:
    try:
        alive = subprocess.run(["docker", "info"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        alive = False
    if not alive:
        pytest.skip("no docker here")
    subprocess.run(["docker", "build", "--quiet", "-t", "edgectl-test", str(ROOT)], check=True)
    done = subprocess.run(
        ["docker", "run", "--rm", "edgectl-test", "plugins", "list", "--json"],
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["ok"]
