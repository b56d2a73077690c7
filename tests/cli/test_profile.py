from __future__ import annotations

import json
import subprocess
import sys

import pytest


def profile(*words):
    result = subprocess.run(
        [sys.executable, "-m", "edgectl", "profile", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, json.loads(result.stdout)


@pytest.mark.parametrize(
    ("words", "params", "macs"),
    [
        # torchvision's figures for ResNet-18: 11 689 512 parameters, 1.814 G
        (["resnet", "--imgsz", "224", "--classes", "1000"], 11_689_512, 1.814e9),
        # SSCMA's FOMO 0.35 x8 with two classes at 192 pixels: 15.1 k, 21.31 M
        (["fomo", "--imgsz", "192", "--classes", "2"], 15_123, 21.31e6),
    ],
)
def test_published_figures(words, params, macs):
    code, document = profile(*words)
    assert code == 0
    data = document["data"]
    assert data["params"] == params
    assert data["macs"] == pytest.approx(macs, rel=1e-3)
    assert sum(layer["macs"] for layer in data["layers"]) == data["macs"]
    assert data["activation_peak_bytes"] > 0


def test_a_size_the_stride_does_not_divide():
    code, document = profile("fomo", "--imgsz", "100")
    assert code == 2
    assert "96" in document["error"]["fix"]


def test_nothing_of_that_name():
    code, document = profile("no-such-thing")
    assert code == 2
    assert "no such file" in document["error"]["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fomo", "--imgsz", "100000"], "not a size"),
        (["fomo", "--imgsz", "9" * 5000], "not a size"),
        (["fomo", "--classes", "99999999999"], "--classes"),
        (["fomo", "--overlay", "macs.json"], "--overlay"),
    ],
)
def test_what_would_take_all_memory_or_color_nothing(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    code, document = profile(*words)
    assert code == 2
    assert said in document["error"]["message"]
    assert document["error"]["fix"]
    assert not list(tmp_path.iterdir())
