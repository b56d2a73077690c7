from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(os.environ.get("EDGECTL_GOLDEN", Path(__file__).parents[3] / "shared" / "golden"))
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="files of other programs are absent")


def run(*words):
    result = subprocess.run(
        [sys.executable, "-m", "edgectl", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, json.loads(result.stdout)


def test_nothing_exported_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, document = run("bench")
    assert code == 2
    assert "export" in document["error"]["fix"]


def test_nothing_there(tmp_path):
    code, document = run("bench", tmp_path / "nothing")
    assert code == 2
    assert document["error"]["message"] == f"{tmp_path / 'nothing'}: no such file or directory"
    assert document["error"]["fix"]


@needs_golden
def test_no_runtime_is_not_the_default_one():
    code, document = run("bench", GOLDEN / "squeezenet_v1.1.ncnn.param", "--runtime", "")
    assert code == 2
    assert "unknown runtime ''" in document["error"]["message"]


@needs_golden
def test_files_of_other_programs_are_timed():
    files = [
        GOLDEN / "squeezenet_v1.1.ncnn.param",
        GOLDEN / "mobilenet_v1_0.25_128_quant.tflite",
    ]
    code, document = run("bench", *files, "--seconds", "0.05")
    assert code == 0
    rows = document["data"]["rows"]
    assert [r["backend"] for r in rows] == ["ncnn", "tflite"]
    assert all(r["latency_ms"] > 0 and r["runs"] >= 5 for r in rows)
    assert rows[1]["bytes"] == files[1].stat().st_size


@needs_golden
@pytest.mark.parametrize(
    ("file", "extra", "params", "macs"),
    [
        # SqueezeNet 1.1 has 1 235 496 parameters (Iandola et al., 2016)
        ("squeezenet_v1.1.ncnn.param", [], 1_235_496, 4.2e8),
        # NanoDet-m: 0.95 M parameters, 0.72 GFLOPs at 320 pixels (its makers' table)
        ("nanodet_m.ncnn.param", ["--imgsz", "320"], 0.95e6, 0.36e9),
        # MobileNet v1 0.25 at 128 pixels: 0.47 M parameters, 14 M MACs (Howard et al., 2017)
        ("mobilenet_v1_0.25_128_quant.tflite", [], 0.47e6, 13.6e6),
    ],
)
def test_files_of_other_programs_are_profiled(file, extra, params, macs):
    code, document = run("profile", GOLDEN / file, *extra)
    assert code == 0
    assert document["data"]["params"] == pytest.approx(params, rel=0.03)
    assert document["data"]["macs"] == pytest.approx(macs, rel=0.05)


@needs_golden
def test_a_file_without_a_size_asks_for_one():
    code, document = run("profile", GOLDEN / "nanodet_m.ncnn.param")
    assert code == 5
    assert "--imgsz" in document["error"]["fix"]


@needs_golden
@pytest.mark.parametrize(
    "name", ["sscma_fomo_mask_gray96", "ei_fomo_balloon", "openmv_fomo_face_detection"]
)
def test_files_of_other_programs_that_take_gray_are_timed(name):
    code, document = run("bench", GOLDEN / f"{name}_int8.tflite", "--seconds", "0.05")
    assert code == 0
    (row,) = document["data"]["rows"]
    assert row["latency_ms"] > 0
