"""``plugins new``: each project is rendered, linted, installed beside edgectl, tested and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from edgectl.errors import UsageError
from edgectl.scaffold.render import KINDS, render

ROOT = Path(__file__).parents[2]
SHORT, LONG = "ab", "m" * 24


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [SHORT, LONG])
def test_projects_are_clean_whatever_their_name(kind, name, tmp_path):
    files = render(kind, name, tmp_path / "p")
    assert all((tmp_path / "p" / f).is_file() for f in files)
    for words in (["check"], ["format", "--check"]):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "."],
            cwd=tmp_path / "p",
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout


def test_projects_pass_mypy_strict(tmp_path):
    for kind in KINDS:
        place = tmp_path / kind
        render(kind, f"typed-{kind}", place)
    packages = [w for k in KINDS for w in ("-p", f"edgectl_typed_{k}")]
    paths = os.pathsep.join([str(ROOT), *(str(tmp_path / k) for k in KINDS)])
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *packages],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": paths},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "name", ["", "1st", "Upper", "a b", "../up", "class", "a--b", "ä", "m" * 25]
)
def test_names_that_cannot_be_packages(name, tmp_path):
    with pytest.raises(UsageError):
        render("family", name, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_a_taken_directory_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("x")
    with pytest.raises(UsageError, match="exists already"):
        render("family", "mine", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A fresh venv that sees the packages of this one, as if they were installed there."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, with_pip=False, symlinks=True)
    site = next(place.glob("lib/python*/site-packages"))
    ours = next(p for p in sys.path if p.endswith("site-packages"))
    # addsitedir also runs the .pth files of editable installations
    (site / "beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return place


def run(environment, *words, cwd, code=0):
    result = subprocess.run(
        [str(environment / "bin" / "python"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "EDGECTL_CACHE": str(cwd / "cache"),
            "XDG_CONFIG_HOME": str(cwd / "config"),
        },
    )
    assert result.returncode == code, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def edgectl(environment, *words, cwd, code=0):
    return json.loads(run(environment, "-m", "edgectl", *words, "--json", cwd=cwd, code=code))


def install(environment, project, cwd):
    words = ["-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    run(environment, *words, str(project), cwd=cwd)


def uninstall(environment, name, cwd):
    run(environment, "-m", "pip", "uninstall", "-y", "-q", f"edgectl-{name}", cwd=cwd)


TRAIN = ["--imgsz", "64", "--epochs", "1", "--weights", "none", "--set", "quant.max_drop=1.0"]


def test_a_family_installs_passes_its_tests_trains_and_leaves_a_clear_message(
    environment, tmp_path
):
    edgectl(environment, "plugins", "new", "sapling", "--kind", "family", cwd=tmp_path)
    project = tmp_path / "edgectl-sapling"
    install(environment, project, tmp_path)
    run(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    words = ["train", "sapling", "--data", "demo_mask", *TRAIN]
    trained = edgectl(environment, *words, cwd=tmp_path)["data"]["run"]
    exported = edgectl(environment, "export", "--backend", "tflite", cwd=tmp_path)["data"]
    assert exported["parity"]["runtimes"]["tflm"]["differing"] == 0
    uninstall(environment, "sapling", tmp_path)
    for words in (["eval", trained], ["eval", exported["artifact"]], ["export", trained]):
        extra = ["--backend", "tflite"] if words[0] == "export" else []
        error = edgectl(environment, *words, *extra, cwd=tmp_path, code=3)["error"]
        assert "'sapling'" in error["message"]
        assert "pip install edgectl-sapling" in error["fix"]


def test_a_backend_installs_passes_its_tests_exports_and_leaves_a_clear_message(
    environment, tmp_path
):
    edgectl(environment, "plugins", "new", "soil", "--kind", "backend", cwd=tmp_path)
    project = tmp_path / "edgectl-soil"
    install(environment, project, tmp_path)
    run(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    edgectl(environment, "train", "fomo", "--data", "demo_mask", *TRAIN, cwd=tmp_path)
    exported = edgectl(environment, "export", "--backend", "soil", cwd=tmp_path)["data"]
    assert exported["precision"] == "int8" and exported["status"] == "built"
    scored = edgectl(environment, "eval", cwd=tmp_path)["data"]
    assert scored["model"]["backend"] == "soil"
    uninstall(environment, "soil", tmp_path)
    error = edgectl(environment, "eval", exported["artifact"], cwd=tmp_path, code=3)["error"]
    assert "'soil'" in error["message"] and "pip install edgectl-soil" in error["fix"]


def test_a_dataset_installs_passes_its_tests_and_is_trained_on(environment, tmp_path):
    edgectl(environment, "plugins", "new", "meadow", "--kind", "dataset", cwd=tmp_path)
    project = tmp_path / "edgectl-meadow"
    install(environment, project, tmp_path)
    run(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    trained = edgectl(environment, "train", "fomo", "--data", "meadow", *TRAIN, cwd=tmp_path)
    uninstall(environment, "meadow", tmp_path)
    (tmp_path / "cache").rename(tmp_path / "gone")
    error = edgectl(environment, "eval", trained["data"]["run"], cwd=tmp_path, code=3)["error"]
    assert "'meadow'" in error["message"] and "pip install edgectl-meadow" in error["fix"]
