from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest


def data(*words):
    result = subprocess.run(
        [sys.executable, "-m", "edgectl", "data", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=False,
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
            picture = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
            picture = cv2.resize(picture, (160, 120), interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(root / "images" / split / f"{split}{i}.png"), picture)
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
    assert found == {"not_a_box", "unreadable_picture"}


def test_check_fix_writes_a_copy_that_passes(yolo, tmp_path):
    (yolo / "images" / "train" / "train1.png").write_bytes(b"\x89PNG nothing more")
    code, document = data("check", yolo, "--fix", tmp_path / "fixed")
    assert code == 0
    assert document["data"]["repaired"]["pictures"] == 5
    code, document = data("check", tmp_path / "fixed")
    assert code == 0
