"""``plugins new``: each project is rendered, linted, installed beside edgectl, tested and used."""

from __future__ import annotations

import os
import subprocess
import sys
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


@pytest.mark.slow
def test_projects_pass_mypy_strict(tmp_path):
    for kind in KINDS:
        place = tmp_path / kind
        render(kind, f"typed-{kind}", place)
    packages = [w for k in KINDS for w in ("-p", f"edgectl_typed_{k}")]
    paths = os.pathsep.join([str(ROOT), *(str(tmp_path / k) for k in KINDS)])
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", *packages],
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


TRAIN = ["--imgsz", "64", "--epochs", "1", "--weights", "none", "--set", "quant.max_drop=1.0"]


@pytest.mark.slow
def test_a_family_installs_passes_its_tests_trains_and_leaves_a_clear_message(
    environment, tmp_path
):
    environment.edgectl("plugins", "new", "sapling", "--kind", "family", cwd=tmp_path)
    project = tmp_path / "edgectl-sapling"
    environment.install(project, tmp_path)
    environment.test(project)
    words = ["train", "sapling", "--data", "demo_mask", *TRAIN]
    trained = environment.edgectl(*words, cwd=tmp_path)["data"]["run"]
    exported = environment.edgectl("export", "--backend", "tflite", cwd=tmp_path)["data"]
    assert exported["parity"]["runtimes"]["tflm"]["differing"] == 0
    environment.uninstall("edgectl-sapling", tmp_path)
    for words in (["eval", trained], ["eval", exported["artifact"]], ["export", trained]):
        extra = ["--backend", "tflite"] if words[0] == "export" else []
        error = environment.edgectl(*words, *extra, cwd=tmp_path, code=3)["error"]
        assert "'sapling'" in error["message"]
        assert "pip install edgectl-sapling" in error["fix"]


def test_a_backend_installs_passes_its_tests_exports_and_leaves_a_clear_message(
    environment, tmp_path
):
    environment.edgectl("plugins", "new", "soil", "--kind", "backend", cwd=tmp_path)
    project = tmp_path / "edgectl-soil"
    environment.install(project, tmp_path)
    environment.test(project)
    environment.edgectl("train", "fomo", "--data", "demo_mask", *TRAIN, cwd=tmp_path)
    exported = environment.edgectl("export", "--backend", "soil", cwd=tmp_path)["data"]
    assert exported["precision"] == "int8" and exported["status"] == "built"
    scored = environment.edgectl("eval", cwd=tmp_path)["data"]
    assert scored["model"]["backend"] == "soil"
    environment.uninstall("edgectl-soil", tmp_path)
    error = environment.edgectl("eval", exported["artifact"], cwd=tmp_path, code=3)["error"]
    assert "'soil'" in error["message"] and "pip install edgectl-soil" in error["fix"]


@pytest.mark.slow
def test_a_dataset_installs_passes_its_tests_and_is_trained_on(environment, tmp_path):
    environment.edgectl("plugins", "new", "meadow", "--kind", "dataset", cwd=tmp_path)
    project = tmp_path / "edgectl-meadow"
    environment.install(project, tmp_path)
    environment.test(project)
    trained = environment.edgectl("train", "fomo", "--data", "meadow", *TRAIN, cwd=tmp_path)
    environment.uninstall("edgectl-meadow", tmp_path)
    (tmp_path / "cache").rename(tmp_path / "gone")
    error = environment.edgectl("eval", trained["data"]["run"], cwd=tmp_path, code=3)["error"]
    assert "'meadow'" in error["message"] and "pip install edgectl-meadow" in error["fix"]
