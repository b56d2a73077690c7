"""The bundle, run as on the board against a stand-in for HailoRT."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from edgectl_hailo.runtime import open_runner

from edgectl.data.images.preprocess import resize_image

RUNS = ("fomo", "rtmdet", "resnet_small", "fomo_bgr")


def on_board(here: Any, bundle: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [here.root / "python", "main.py", *words],
        cwd=bundle,
        capture_output=True,
        text=True,
        check=False,
    )


def deploy(here: Any, name: str, out: Path, *words: str) -> tuple[int, dict[str, Any]]:
    target = [] if "--target" in words else ["--target", "rpi5-hailo8l"]
    code, document = here.call("deploy", str(here.built(name)), "--out", str(out), *target, *words)
    return code, document


@pytest.mark.parametrize("name", RUNS)
def test_the_board_finds_what_evaluation_finds(
    here: Any, built: Any, tmp_path: Path, name: str
) -> None:
    built(name)
    here.with_sdk()
    code, document = deploy(here, name, tmp_path / "bundle")
    assert code == 0, document["error"]
    source = next(
        (here.root / ("classes" if name == "resnet_small" else "boxes") / "valid").rglob(
            "*.[jp][pn]g"
        )
    )
    done = on_board(here, tmp_path / "bundle", str(source), "--threshold", "0.01")
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == str(source)

    trained = here.trained(name)
    image = cv2.imread(str(source))
    fitted, geometry = resize_image(image, trained.preprocess)
    runner = open_runner(here.built(name) / "model.hef", "hailort", trained.outputs)
    heads = [torch.from_numpy(h) for h in runner(fitted[None])]
    found = trained.postprocess(0.01)(heads, trained.outputs)[0]
    best = [(trained.classes[k], float(s)) for k, s in zip(found.labels, found.scores, strict=True)]
    assert len(lines) == len(best) > 1
    shown = [line.split() for line in lines]
    assert [float(w[1]) for w in shown] == pytest.approx([s for _, s in best], abs=0.006)
    assert shown[0][0] == best[0][0]
    if len(found.boxes_xyxy):
        limit = [image.shape[1], image.shape[0]] * 2
        boxes = np.clip(geometry.to_original(found.boxes_xyxy.numpy()), 0, limit)
        # boxes of equal scores come in any order
        rows = [(float(words[1]), *(float(v) for v in words[2:])) for words in shown]
        for row, box in zip(rows, boxes, strict=True):
            alike = [b for r, b in zip(rows, boxes, strict=True) if abs(r[0] - row[0]) < 0.012]
            assert any(np.abs(np.array(row[1:]) - b).max() <= 0.6 for b in alike), (row, box)


@pytest.mark.parametrize("name", ["rtmdet", "fomo_bgr"])
def test_golden_vectors(here: Any, built: Any, tmp_path: Path, name: str) -> None:
    built(name)
    here.with_sdk()
    assert deploy(here, name, tmp_path / "bundle")[0] == 0
    done = on_board(here, tmp_path / "bundle", "--golden")
    assert done.returncode == 0, done.stderr
    first, *lines, verdict = done.stdout.splitlines()
    assert first == "measured on sdk-quantized" and len(lines) == 4
    assert verdict == "self-test passed"
    shares = [float(share) for line in lines for share in re.findall(r"\(([\d.]+) %\)", line)]
    assert shares and max(shares) < 3  # percent: one 8-bit step of the stand-in, and a little


def test_another_networks_hef_is_noticed(here: Any, built: Any, tmp_path: Path) -> None:
    built("fomo")
    built("rtmdet")
    here.with_sdk()
    bundle = tmp_path / "bundle"
    assert deploy(here, "fomo", bundle)[0] == 0
    shutil.copy2(here.built("rtmdet") / "model.hef", bundle / "model.hef")
    done = on_board(here, bundle, "--golden")
    assert done.returncode != 0 and "compiled from another network" in done.stderr


def test_a_plan_needs_its_hef_from_elsewhere(here: Any, built: Any, tmp_path: Path) -> None:
    built("fomo")
    assert here.export("fomo", "--plan")[0] == 0
    words = ["deploy", str(here.artifact("fomo")), "--target", "rpi5-hailo8l", "--out"]
    code, document = here.call(*words, str(tmp_path / "a"))
    assert code == 2 and "--converted" in document["error"]["fix"]
    bad = tmp_path / "bad.hef"
    bad.write_bytes(b"no")
    assert here.call(*words, str(tmp_path / "b"), "--converted", str(bad))[0] == 5
    missing = str(tmp_path / "missing.hef")
    assert here.call(*words, str(tmp_path / "c"), "--converted", missing)[0] == 5
    hef = here.built("fomo") / "model.hef"
    code, document = here.call(*words, str(tmp_path / "d"), "--converted", str(hef))
    assert code == 0, document["error"]
    assert (tmp_path / "d" / "model.hef").read_bytes() == hef.read_bytes()
    assert not (tmp_path / "d" / "model.onnx").exists()


def test_a_hef_for_another_chip(here: Any, built: Any, tmp_path: Path) -> None:
    built("fomo")
    plan = [*("--set", "backend.hailo.hw_arch=hailo10h"), "--plan"]
    assert here.export("fomo", *plan)[0] == 0
    hef = str(here.built("fomo") / "model.hef")
    words = ["deploy", str(here.artifact("fomo")), "--out", str(tmp_path / "x"), "--converted", hef]
    code, document = here.call(*words, "--target", "rpi5-hailo8l")
    assert code == 2
    assert "hw_arch=hailo8l" in document["error"]["fix"]


def test_the_larger_chip_runs_the_smaller_ones_files(here: Any, built: Any, tmp_path: Path) -> None:
    built("fomo")
    here.with_sdk()
    assert deploy(here, "fomo", tmp_path / "x", "--target", "rpi5-hailo8")[0] == 0
    facts = json.loads((tmp_path / "x" / "model.json").read_text())
    assert facts["hw_arch"] == "hailo8l" and facts["threshold"] == pytest.approx(0.3)
