"""The program in an artifact's README against ``predict``, line by line."""

from __future__ import annotations

import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("edgectl_tflite")
UNIT = ("--mean", "0", "--std", "255")


def require_the_same(edgectl, artifact, image, *words, threshold=0.25):
    (code,) = re.findall(r"```python\n(.*?)```", (artifact / "README.md").read_text(), re.S)[-1:]
    (artifact.parent / "program.py").write_text(code)
    done = subprocess.run(
        [sys.executable, artifact.parent / "program.py", image.resolve()],
        cwd=artifact,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    found = edgectl("predict", artifact, image, *words).data["results"][0]["found"]
    assert len(lines) == len(found) or len(found) == 5  # predict shows the five likeliest classes
    for line, row in zip(lines, found, strict=False):
        assert line[0] == row["label"]
        assert float(line[1]) == pytest.approx(row["score"], abs=2e-3)
        assert [float(v) for v in line[2:]] == pytest.approx(row.get("box", []), abs=0.5)
    return lines


@pytest.mark.parametrize(
    ("model", "decode", "precision"),
    [
        ("classes.onnx", "classify", "int8"),
        ("grid.onnx", "yolox", "int8"),
        ("grid.onnx", "yolox", "fp32"),
    ],
)
def test_tflite(edgectl, place, out, model, decode, precision):
    words = ("--calib", "images", *UNIT, "--decode", decode, "--backend", "tflite")
    done = edgectl("export", model, *words, "--precision", precision, "--out", out)
    assert done.code == 0, done.error
    limit = () if decode == "classify" else ("--threshold", "0.25")
    assert require_the_same(edgectl, out, place / "images" / "1.png", *limit)
    assert b"labels.txt" in (out / "model.tflite").read_bytes()


def test_onnx_and_back(edgectl, place, out):
    """The file alone says classes and preparation."""
    pytest.importorskip("edgectl_onnx")
    words = ("--mean", "100", "--std", "50", "--decode", "yolox", "--classes", "a,b")
    done = edgectl("export", "grid.onnx", *words, "--backend", "onnx", "--out", out)
    assert done.code == 0, done.error
    image = place / "images" / "1.png"
    assert require_the_same(edgectl, out, image, "--threshold", "0.25")
    (out / "manifest.json").unlink()
    own = edgectl("predict", out / "model.onnx", image, "--decode", "yolox", "--threshold", "0.25")
    named = edgectl("predict", "grid.onnx", image, *words, "--threshold", "0.25")
    assert own.data["results"] == named.data["results"]
    assert {r["label"] for r in own.data["results"][0]["found"]} <= {"a", "b"}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tflite", "onnx"])
@pytest.mark.parametrize("family", ["fomo", "rtmdet", "fcos", "resnet"])
def test_every_family(edgectl, tmp_path, monkeypatch, family, backend):
    pytest.importorskip(f"edgectl_{family}")
    pytest.importorskip(f"edgectl_{backend}")
    monkeypatch.chdir(tmp_path)
    if family == "resnet":
        rng = np.random.default_rng(0)
        for split in ("train", "valid"):
            for name, low in (("dark", 0), ("light", 120)):
                (tmp_path / "set" / split / name).mkdir(parents=True)
                for i in range(8):
                    pixels = rng.integers(low, low + 136, (40, 48, 3), dtype=np.uint8)
                    cv2.imwrite(str(tmp_path / "set" / split / name / f"{i}.png"), pixels)
    else:
        from edgectl.data.catalog.demo import draw_split

        draw_split(tmp_path / "set" / "train", 8, (0, 0))
        draw_split(tmp_path / "set" / "valid", 4, (0, 1))
    size = "128" if family == "fcos" else "64"
    words = ("--epochs", "1", "--imgsz", size, "--weights", "none", "--set", "quant.max_drop=1.0")
    done = edgectl("train", family, "--data", "set", *words)
    assert done.code == 0, done.error
    exported = edgectl("export", "--backend", backend, "--out", tmp_path / "out")
    assert exported.code == 0, exported.error
    image = next((tmp_path / "set" / "valid").rglob("*.png"), None) or next(
        (tmp_path / "set" / "valid").rglob("*.jpg")
    )
    limit = ("--threshold", "0.25") if family in ("rtmdet", "fcos") else ()
    require_the_same(edgectl, tmp_path / "out", image, *limit)
