"""Whole images through the command line: train, export, score, QAT, report, and sets that do not do."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from edgectl.cli.app import run

RUN = "runs/train/small"
ARTIFACT = f"{RUN}/export/tflite-int8"
WORDS = ["--variant", "mobilenetv2_0.35", "--imgsz", "32", "--weights", "none", "--epochs", "2"]


def draw(root, count, classes=("dark", "light")):
    """Images told apart by their brightness."""
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for i in range(count):
            base = 40 if name == "dark" else 200
            image = np.clip(rng.normal(base, 20, (36, 40, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(root / name / f"{i}.png"), image)
    return root


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A directory with a data set ``set`` and a trained, exported run ``runs/train/small``."""
    pytest.importorskip("tflite_micro")
    root = tmp_path_factory.mktemp("project")
    draw(root / "set", 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OMP_NUM_THREADS", "1")
        words = ["--data", "set", *WORDS, "--name", "small", "--set", "quant.max_drop=1.0"]
        assert run(["train", "resnet", *words, "--set", "classify.mixup=0.2"]) == 0
        assert run(["export", "--backend", "tflite"]) == 0
    return root


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    return project


def document(capsys, *argv):
    capsys.readouterr()
    code = run([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_made_split_is_recorded(here):
    splits = json.loads((here / RUN / "splits.json").read_text())
    assert "20%" in splits["made"]["valid"]
    assert {k: len(v) for k, v in splits["files"].items()} == {"train": 32, "valid": 8}


def test_figures_and_confusion_matrix(here):
    best = json.loads((here / RUN / "metrics.json").read_text())["best"]
    assert {"top1", "top5", "per_class", "confusion"} <= best["metrics"].keys()
    assert np.sum(best["metrics"]["confusion"]) == 8
    assert (here / RUN / "plots" / "confusion.png").is_file()
    assert run(["report"]) == 0
    assert "What is taken for what" in (here / RUN / "report.html").read_text()


def test_exact_runtimes_agree_in_every_element(here):
    runtimes = json.loads((here / ARTIFACT / "manifest.json").read_text())["parity"]["runtimes"]
    assert {n: runtimes[n]["differing"] for n in ("integer", "tflm")} == {"integer": 0, "tflm": 0}


def test_the_file_writes_one_score_a_class(here):
    manifest = json.loads((here / ARTIFACT / "manifest.json").read_text())
    assert [t["shape"] for t in manifest["tensors"]["outputs"]] == [[1, 2]]
    assert "largest value" in (here / ARTIFACT / "README.md").read_text()


def test_file_and_checkpoint_are_scored_on_the_same_images(here, capsys):
    code, found = document(capsys, "eval", ARTIFACT, "--runtime", "integer")
    assert code == 0
    data = found["data"]
    assert data["dataset"]["images"] == 8
    assert data["dataset"]["fingerprint"] == data["against"]["dataset"]["fingerprint"]


def test_qat(here, capsys):
    code, found = document(
        capsys, "qat", RUN, "--backend", "tflite", "--epochs", "1", "--set", "quant.max_drop=1.0"
    )
    assert code == 0
    manifest = json.loads((here / found["data"]["artifact"] / "manifest.json").read_text())
    assert manifest["stage"] == "qat"
    assert manifest["parity"]["runtimes"]["integer"]["differing"] == 0


def refused(capsys, family, root):
    code, found = document(capsys, "train", family, "--data", str(root), *WORDS[2:])
    assert code == 5
    return found["error"]


def test_one_class(here, capsys, tmp_path):
    error = refused(capsys, "resnet", draw(tmp_path / "one", 4, ("dark",)))
    assert "one class only (dark)" in error["message"]


def test_boxes_for_a_classifier_and_classes_for_a_detector(here, capsys, tmp_path):
    from edgectl.data.catalog.demo import draw_split

    draw_split(tmp_path / "boxes" / "train", 4, (0, 0))
    assert "labelled with boxes" in refused(capsys, "resnet", tmp_path / "boxes")["message"]
    assert "a class an image" in refused(capsys, "fomo", here / "set")["message"]


def test_a_corrupt_image_is_named(here, capsys, tmp_path):
    root = draw(tmp_path / "bad", 5)
    (root / "light" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    assert "3.png" in json.dumps(refused(capsys, "resnet", root))


def test_empty_and_tiny_classes_train_with_a_word(here, capsys, tmp_path):
    root = draw(tmp_path / "rare", 6)
    draw(root, 1, ("lonely",))
    (root / "empty").mkdir()
    cv2.imwrite(str(root / "dark" / "grey.png"), np.full((90, 20), 30, np.uint8))
    words = ["--data", str(root), *WORDS[:-1], "1", "--set", "classify.class_weights='balanced'"]
    code, found = document(capsys, "train", "resnet", *words)
    assert code == 0
    said = " ".join(found["warnings"])
    assert "empty class" in said
    assert "few images" in said
    assert list(found["data"]["metrics"]["per_class"]) == ["dark", "light", "lonely"]
