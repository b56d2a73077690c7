"""Distributions of third parties in examples/: installed with pip, discovered, used."""

from __future__ import annotations

import shutil

import pytest

TRAIN = ["--imgsz", "64", "--epochs", "1", "--weights", "none", "--set", "quant.max_drop=1.0"]


@pytest.fixture
def copied(request, tmp_path):
    """A copy, so that building leaves nothing in the repository."""

    def copy(name):
        source = request.config.rootpath / "examples" / f"edgectl-{name}"
        return shutil.copytree(source, tmp_path / f"edgectl-{name}")

    return copy


@pytest.mark.slow
def test_a_family_and_a_backend_that_know_nothing_of_each_other(environment, copied, tmp_path):
    for name in ("dots", "carray"):
        project = copied(name)
        environment.install(project, tmp_path)
        environment.test(project)
    listed = environment.edgectl("plugins", "list", cwd=tmp_path)["data"]["plugins"]
    assert {"dots", "carray"} <= {p["name"] for p in listed if p["state"] == "ok"}
    environment.edgectl("train", "dots", "--data", "demo_mask", *TRAIN, cwd=tmp_path)
    exported = environment.edgectl("export", "--backend", "carray", cwd=tmp_path)["data"]
    assert exported["parity"]["runtimes"]["cc"]["sqnr_db"]["cells"] > 15
    assert environment.edgectl("eval", cwd=tmp_path)["data"]["model"]["backend"] == "carray"
    for name in ("dots", "carray"):
        environment.uninstall(f"edgectl-{name}", tmp_path)


@pytest.mark.slow
def test_a_task_core_does_not_know(environment, copied, tmp_path):
    """Its own tests train, export to int8, prove the file exact, predict and draw."""
    project = copied("meter")
    environment.install(project, tmp_path)
    environment.test(project)
    listed = environment.edgectl("plugins", "info", "meter", cwd=tmp_path)["data"]["provides"]
    assert {p["kind"] for p in listed} == {"family", "task", "head", "dataset", "format"}
    environment.uninstall("edgectl-meter", tmp_path)
