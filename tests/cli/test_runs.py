"""Runs are listed, compared and cleaned from their files alone."""

from __future__ import annotations

import json

import pytest

from edgectl.cli.app import run
from edgectl.runs.rundir import create_run, latest_run, set_latest

CONFIG = 'family = "fomo"\nvariant = "{}"\n[train]\nepochs = {}\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two finished runs, one killed before its first checkpoint, and what a killed export left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    for number in (1, 2):
        made = create_run("fomo", root=tmp_path / "runs")
        made.best.write_bytes(b"x" * 100)
        made.config.write_text(CONFIG.format("a", number))
        made.write_provenance({"created": "2026", "data": {"name": "[red]set"}})
        made.write_metrics({"best": {"metrics": {"f1": number / 4, "per_class": [{}]}}})
        made.events.write_text('{"event": "epoch", "epoch": 1}\n')
    left = made.path / "export" / ".tflite-int8.edgectl-999999999-1-0123456789ab"
    left.mkdir(parents=True)
    (left / "manifest.json").write_text("{}")
    create_run("fomo", root=tmp_path / "runs")
    return tmp_path


def document(capsys, *words):
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["data"]


def test_list_show_compare(here, capsys):
    found = document(capsys, "runs", "list")
    assert [(r["state"], r["epochs"]) for r in found["runs"]] == [
        ("finished", 1),
        ("finished", 1),
        ("empty", 0),
    ]
    assert found["runs"][0]["metrics"] == {"f1": 0.25} and found["runs"][1]["artifacts"] == []
    assert found["latest"] == "runs/train/fomo-003"
    shown = document(capsys, "runs", "show", "runs/train/fomo-002")
    assert shown["config"]["train.epochs"] == 2
    compared = document(capsys, "runs", "compare", "runs/train/fomo-001", "runs/train/fomo-002")
    assert compared["config"] == {"train.epochs": [1, 2]}
    assert compared["metrics"] == {"f1": [0.25, 0.5]}


def test_tables_show_names_as_they_are(here, capsys):
    assert run(["runs", "list"]) == 0
    assert run(["runs", "show", "runs/train/fomo-001"]) == 0
    assert run(["runs", "compare", "runs/train/fomo-001", "runs/train/fomo-002"]) == 0
    assert "[red]set" in capsys.readouterr().out
    assert run(["runs", "compare", "runs/train/fomo-001"]) == 2
    assert run(["runs", "show", "cache"]) == 2


def test_clean_takes_what_nobody_can_use_and_nothing_else(here, capsys):
    left = "runs/train/fomo-002/export/.tflite-int8.edgectl-999999999-1-0123456789ab"
    said = document(capsys, "runs", "clean", "--dry-run")
    assert said["removed"] == [left, "runs/train/fomo-003"]
    assert (here / left).exists()
    assert document(capsys, "runs", "clean")["removed"] == said["removed"]
    names = [p.name for p in (here / "runs" / "train").iterdir()]
    assert sorted(names) == ["fomo-001", "fomo-002"]
    assert not (here / left).exists()
    assert latest_run().path.name in names  # it named the one that went
    assert document(capsys, "runs", "clean")["removed"] == []


def test_doctor_says_what_is_left_and_removes_it(here, capsys):
    set_latest(here / "runs" / "train" / "fomo-001", root=here / "runs")
    (here / ".copy.edgectl-999999999-1-0123456789ab").write_text("")

    def leftovers(*words):
        capsys.readouterr()
        run(["doctor", *words, "--json"])
        checks = json.loads(capsys.readouterr().out)["data"]["checks"]
        return next((c["status"], c["detail"]) for c in checks if c["name"] == "leftovers")

    assert leftovers() == ("warning", "2 of killed commands")
    assert leftovers("--fix") == ("ok", "2 of killed commands, removed")
    assert leftovers() == ("ok", "none")
