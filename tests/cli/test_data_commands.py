from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest


def data(*words, cwd=None):
    result = subprocess.run(
        [sys.executable, "-m", "edgectl", "data", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )
    return result.returncode, json.loads(result.stdout)


@pytest.fixture
def yolo(tmp_path):
    root = tmp_path / "set"
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        for i in range(3):
            image = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
            image = cv2.resize(image, (160, 120), interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(root / "images" / split / f"{split}{i}.png"), image)
            (root / "labels" / split / f"{split}{i}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat]\n")
    return root


def test_convert_writes_and_counts(yolo, tmp_path):
    code, document = data("convert", yolo, tmp_path / "voc", "--to", "voc")
    assert code == 0
    assert document["data"]["from"] == "yolo"
    assert document["data"]["format"] == "voc"
    assert {n: s["boxes"] for n, s in document["data"]["splits"].items()} == {
        "train": 3,
        "valid": 3,
    }
    code, again = data("convert", yolo, tmp_path / "voc", "--to", "voc")
    assert code == 5
    assert "another directory" in again["error"]["fix"]


def test_convert_to_a_format_nobody_writes(yolo, tmp_path):
    code, document = data("convert", yolo, tmp_path / "out", "--to", "yolov8")
    assert code == 2
    assert "yolo" in document["error"]["fix"] + document["error"]["message"]


def test_check_passes_with_warnings_and_fails_with_errors(yolo):
    code, document = data("check", yolo)
    assert code == 0
    assert document["data"]["counts"]["error"] == 0
    (yolo / "labels" / "train" / "train0.txt").write_text("7 0.5 0.5 0.5 0.5\n")
    (yolo / "images" / "train" / "train1.png").write_bytes(b"\x89PNG nothing more")
    code, document = data("check", yolo)
    assert code == 5
    found = {f["kind"] for f in document["data"]["findings"] if f["severity"] == "error"}
    assert found == {"unknown_class", "labels_lost", "unreadable_image"}


def test_check_fix_writes_a_copy_that_passes(yolo, tmp_path):
    (yolo / "images" / "train" / "train1.png").write_bytes(b"\x89PNG nothing more")
    code, document = data("check", yolo, "--fix", tmp_path / "fixed")
    assert code == 0
    assert document["data"]["repaired"]["images"] == 5
    code, document = data("check", tmp_path / "fixed")
    assert code == 0


def test_split_is_reproducible_and_complete(yolo, tmp_path):
    code, document = data("split", yolo, tmp_path / "a", "--valid", "0.34", "--seed", "1")
    assert code == 0
    counts = {n: s["images"] for n, s in document["data"]["splits"].items()}
    assert counts == {"train": 4, "valid": 2}
    data("split", yolo, tmp_path / "b", "--valid", "0.34", "--seed", "1")
    names = [
        sorted(p.name for p in (tmp_path / d / "images" / "val").iterdir()) for d in ("a", "b")
    ]
    assert names[0] == names[1]


def test_split_refuses_shares_that_leave_nothing(yolo, tmp_path):
    assert data("split", yolo, tmp_path / "a", "--valid", "0.6", "--test", "0.4")[0] == 2
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("extra", [[], ["--augmented"]])
def test_preview_is_a_image_of_the_right_size(yolo, tmp_path, extra):
    sheet = tmp_path / "sheet.png"
    code, document = data("preview", yolo, "--out", sheet, "--imgsz", "64", *extra)
    assert code == 0
    assert len(document["data"]["images"]) == 3
    # three images on a grid of two by two, four pixels apart
    assert cv2.imread(str(sheet)).shape == (2 * 196, 2 * 196, 3)


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("list", ["calibration.json"]),
        ("npy", ["calibration.json", "calibration.npy"]),
        ("bin", ["00000.bin", "00001.bin", "calibration.json"]),
        ("zip", ["calibration.json", "calibration.zip"]),
    ],
)
def test_calibration_in_every_form(yolo, tmp_path, form, files):
    out = tmp_path / "calib"
    words = ["--out", out, "--to", form, "--count", "2", "--imgsz", "64"]
    code, document = data("calib", yolo, *words)
    assert code == 0
    assert document["data"]["files"] == files
    assert sorted(p.name for p in out.iterdir()) == files
    assert all(name.startswith("train") for name in document["data"]["names"])
    if form == "npy":
        array = np.load(out / "calibration.npy")
        assert array.shape == (2, 64, 64, 3)
        assert array.dtype == np.uint8
    if form == "bin":
        assert (out / "00000.bin").stat().st_size == 64 * 64 * 3


def test_stats_counts_and_draws(yolo, tmp_path):
    code, document = data("stats", yolo, "--imgsz", "64", "--out", tmp_path / "stats.png")
    assert code == 0
    train = document["data"]["histograms"]["splits"]["train"]
    assert sum(train["object_side"]["counts"]) == 3
    assert cv2.imread(str(tmp_path / "stats.png")).shape[2] == 3


def test_a_set_of_the_project_goes_by_its_name(yolo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgectl.toml").write_text(f'[datasets.cats]\npath = "{yolo}"\nformat = "yolo"\n')
    code, document = data("info", "cats")
    assert code == 0
    assert document["data"]["name"] == "cats"
    assert document["data"]["format"] == "yolo"


def test_a_pack_goes_wherever_data_goes(yolo, tmp_path):
    code, document = data("pack", yolo, tmp_path / "cats.lmdb", "--split-name", "train")
    assert code == 0
    assert document["data"]["splits"] == {"train": 3}
    code, document = data("info", tmp_path / "cats.lmdb")
    assert document["data"]["format"] == "lmdb"
    assert data("pack", yolo, tmp_path / "x.lmdb", "--split-name", "nope")[0] == 2


def test_a_run_shows_what_it_trains_on(yolo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--data", yolo, "--imgsz", "64", "--epochs", "1", "--weights", "none", "--name", "a"]
    result = subprocess.run(
        [sys.executable, "-m", "edgectl", "train", "fomo", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(result.stdout)["ok"], result.stdout
    sheet = cv2.imread(str(tmp_path / "runs/train/a/plots/images.png"))
    # three images of 64 pixels on a grid of two by two, four pixels apart
    assert sheet.shape == (2 * 196, 2 * 196, 3)


@pytest.mark.parametrize("words", [["preview"], ["pack"]])
def test_an_empty_split_is_no_split(yolo, tmp_path, words):
    flag = "--split" if words == ["preview"] else "--split-name"
    code, document = data(*words, yolo, *(["x.lmdb"] if words == ["pack"] else []), flag, "")
    assert code == 2
    assert "train" in document["error"]["fix"] and "valid" in document["error"]["fix"]


def test_convert_describes_what_it_wrote(yolo, tmp_path):
    """Also where the directory is called like a known set."""
    code, document = data("convert", yolo, "demo_mask", "--to", "voc", cwd=tmp_path)
    assert code == 0
    assert document["data"]["classes"] == ["cat"]
