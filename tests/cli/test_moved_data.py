"""A run whose data set has moved: found again by ``--data``, and one line that names the option without."""

from __future__ import annotations

import json
import shutil

import pytest

from edgectl.cli.app import run
from edgectl.data.catalog.demo import draw_split

RUN = "runs/train/points"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A run whose set lies in ``moved`` now; ``other`` has one image more."""
    pytest.importorskip("edgectl_fomo")
    root = tmp_path_factory.mktemp("project")
    for key, (split, count) in enumerate({"train": 8, "valid": 6}.items()):
        draw_split(root / "set" / split, count, (0, key))
        draw_split(root / "other" / split, count + 1, (0, key))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OMP_NUM_THREADS", "1")
        words = ["--imgsz", "64", "--epochs", "1", "--weights", "none", "--name", "points"]
        words += ["--set", "train.tensorboard=false"]
        assert run(["train", "fomo", "--data", "set", *words]) == 0
        assert run(["train", "fomo", "--data", "set", *words[:-3], "unmoved", *words[-2:]]) == 0
    shutil.move(root / "set", root / "moved")
    return root


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return project


def asked(capsys, *words):
    code = run([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_without_an_option_one_line_names_it(here, capsys):
    for words in (("eval", RUN), ("train", "--resume", RUN)):
        code, document = asked(capsys, *words)
        assert code == 5
        assert "has moved" in document["error"]["message"]
        assert "--data" in document["error"]["fix"]


def test_the_new_place_is_taken(here, capsys):
    code, document = asked(capsys, "eval", RUN, "--data", "moved")
    assert code == 0
    assert document["data"]["dataset"]["images"] == 6
    code, document = asked(capsys, "train", "--resume", RUN, "--data", "moved")
    assert code == 0
    assert document["data"]["epochs"] == 1


def test_quantized_training_and_bundles_find_their_images_too(here, capsys):
    pytest.importorskip("edgectl_tflite")
    data = ("--data", "moved")
    for words in (("qat", RUN, "--backend", "tflite", "--epochs", "1"),):
        code, document = asked(capsys, *words)
        assert code == 5 and "--data" in document["error"]["fix"]
        code, document = asked(capsys, *words, "--set", "quant.max_drop=1.0", *data)
        assert code == 0, document["error"]
    words = ("export", RUN, "--backend", "tflite", "--set", "quant.max_drop=1.0", *data)
    assert asked(capsys, *words)[0] == 0
    artifact = f"{RUN}/export/tflite-int8"
    deploy = ("deploy", artifact, "--target", "grove-vision-ai-v2", "--out")
    code, document = asked(capsys, *deploy, "bare")
    assert code == 0 and any("--data" in w for w in document["warnings"]), document
    code, document = asked(capsys, *deploy, "whole", *data)
    assert code == 0, document["error"]
    assert (here / "whole/golden/golden.json").is_file()


def test_another_set_is_not(here, capsys):
    code, document = asked(capsys, "train", "--resume", RUN, "--data", "other")
    assert code == 5
    assert "other images or labels" in document["error"]["message"]


def test_what_needs_no_images_goes_without(here, capsys):
    pytest.importorskip("edgectl_onnx")
    pytest.importorskip("onnxruntime")
    code, document = asked(capsys, "export", RUN, "--backend", "onnx", "--out", "unseen")
    assert code == 0, document["error"]
    assert any("not scored" in w and "--data" in w for w in document["warnings"])
    manifest = json.loads((here / "unseen" / "manifest.json").read_text())
    assert "path" not in manifest["data"]  # where it lay is nobody's affair
    words = ("export", RUN, "--backend", "onnx", "--out", "scored", "--data", "moved")
    code, document = asked(capsys, *words)
    assert code == 0
    assert document["data"]["metrics"] is not None


def test_a_set_is_found_where_it_was_from_elsewhere(here, capsys, tmp_path, monkeypatch):
    shutil.copytree(here / "moved", here / "set")
    monkeypatch.chdir(tmp_path)
    code, document = asked(capsys, "eval", str(here / "runs/train/unmoved"))
    shutil.rmtree(here / "set")
    assert code == 0
    assert document["data"]["dataset"]["images"] == 6


def test_more_epochs_are_a_run_of_their_own(here, capsys):
    words = ("train", "--resume", RUN, "--data", "moved", "--epochs", "3")
    code, document = asked(capsys, *words)
    assert code == 2
    assert f"--weights {RUN}/checkpoints/last.pt" in document["error"]["fix"]
