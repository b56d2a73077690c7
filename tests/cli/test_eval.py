"""``edgectl eval``: comparison, gates and findings, on small drawn sets and hardly trained models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgectl.cli.app import run
from edgectl.data.catalog.demo import draw_split
from edgectl.metrics.detection import FIGURES

DETECTOR, POINTS = "runs/train/boxes/checkpoints/best.pt", "runs/train/points"


def write_set(root: Path, split: str, drawn: list[tuple[np.ndarray, list[list[int]]]]) -> None:
    """A Roboflow split of one class; boxes are x, y, width, height."""
    folder = root / split
    folder.mkdir(parents=True)
    images, annotations = [], []
    for i, (pixels, boxes) in enumerate(drawn):
        cv2.imwrite(str(folder / f"{i}.png"), pixels)
        height, width = pixels.shape[:2]
        images.append({"id": i, "file_name": f"{i}.png", "width": width, "height": height})
        annotations += [{"image_id": i, "category_id": 1, "bbox": b} for b in boxes]
    categories = [{"id": 1, "name": "thing", "supercategory": "things"}]
    for number, annotation in enumerate(annotations):
        annotation["id"] = number
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "_annotations.coco.json").write_text(json.dumps(document))


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 99, (height, width, channels), dtype=np.uint8)


def train(family: str, data: str, name: str) -> int:
    words = ["--data", data, "--imgsz", "64", "--epochs", "1", "--weights", "none", "--name", name]
    return run(["train", family, *words, "--set", "train.tensorboard=false"])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    pytest.importorskip("edgectl_rtmdet")
    pytest.importorskip("edgectl_fomo")
    root = tmp_path_factory.mktemp("project")
    for key, (split, count) in enumerate({"train": 8, "valid": 6}.items()):
        draw_split(root / "set" / split, count, (0, key))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OMP_NUM_THREADS", "1")
        assert train("rtmdet", "set", "boxes") == 0
        assert train("fomo", "set", "points") == 0
    return root


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    return project


def document(capsys, *argv):
    capsys.readouterr()
    code = run([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_split_without_objects_is_said_in_words(here, capsys):
    write_set(here / "nothing", "valid", [(noise(60, 80), []), (noise(50, 90), [])])
    write_set(here / "nothing", "train", [(noise(64, 80), [[5, 5, 30, 30]])])
    for file in (here / "nothing").rglob("_annotations.coco.json"):
        parsed = json.loads(file.read_text())
        # the model's classes
        parsed["categories"] = [{"id": i, "name": n} for i, n in enumerate(("mask", "no-mask"), 1)]
        file.write_text(json.dumps(parsed))
    for model in (DETECTOR, POINTS):
        assert run(["eval", model, "--data", "nothing"]) == 0
        shown = capsys.readouterr().out
        assert "none with a labelled object" in shown.replace("\n", " ")
        assert "-1.0" not in shown and "0.0000" not in shown


def test_images_may_lie_apart(here, capsys, tmp_path):
    shutil.copytree(here / "set", tmp_path / "labels")
    (tmp_path / "images").mkdir()
    for file in (tmp_path / "labels" / "valid").iterdir():
        if file.suffix in (".jpg", ".png"):
            file.rename(tmp_path / "images" / file.name)
    words = ["eval", POINTS, "--data", str(tmp_path / "labels" / "valid")]
    assert document(capsys, *words)[0] == 5
    code, parsed = document(
        capsys, *words, "--images", str(tmp_path / "images"), "--split", "train"
    )
    assert code == 0, parsed["error"]
    # of the six a third is made *valid*, of which there is none
    assert parsed["data"]["dataset"]["images"] == 4


def test_the_keys_of_detection(here, capsys):
    code, parsed = document(capsys, "eval", DETECTOR)
    data = parsed["data"]
    assert code == 0 and data["task"] == "detection"
    assert set(data["metrics"]) == {*FIGURES, "per_class", "errors"}
    fates = data["metrics"]["errors"]["by_size"]
    objects = sum(c["objects"] for c in data["metrics"]["per_class"].values())
    assert sum(row["objects"] for row in fates) == objects
    assert set(data["metrics"]["per_class"]) == {"mask", "no-mask"}
    assert all(set(f) == {"kind", "message", "evidence"} for f in data["diagnosis"])
    assert "few_examples" in {f["kind"] for f in data["diagnosis"]}
    assert "comparison" not in data


@pytest.mark.parametrize(("model", "metric"), [(DETECTOR, "AP"), (POINTS, "f1")])
def test_against_itself_nothing_differs(here, capsys, model, metric):
    words = ["eval", model, "--against", model, "--gate", f"{metric}_drop<=0.01"]
    code, parsed = document(capsys, *words)
    assert code == 0
    comparison = parsed["data"]["comparison"]
    assert comparison["metric"] == metric and comparison["images"] == 6
    assert comparison["difference"] == comparison["low"] == comparison["high"] == 0.0
    assert parsed["data"]["gates"] == [
        {"expr": f"{metric}_drop<=0.01", "value": 0.0, "passed": True}
    ]


def test_a_gate_that_fails_is_exit_code_4(here, capsys):
    words = ["eval", DETECTOR, "--against", DETECTOR, "--gate", "AP_drop<=-0.01"]
    code, parsed = document(capsys, *words)
    assert code == 4
    assert parsed["data"]["gates"][0]["passed"] is False
    assert parsed["data"]["comparison"]["metric"] == "AP"


def test_a_drop_needs_something_to_compare_with(here, capsys):
    code, parsed = document(capsys, "eval", DETECTOR, "--gate", "AP_drop<=0.01")
    assert code == 2 and "--against" in parsed["error"]["fix"]


def test_models_of_different_tasks(here, capsys):
    code, parsed = document(capsys, "eval", DETECTOR, "--against", POINTS)
    assert code == 2
    assert (
        "a detection model cannot be compared with a centroid model" in parsed["error"]["message"]
    )


def test_what_people_see(here, capsys):
    assert run(["eval", DETECTOR, "--against", DETECTOR, "--gate", "AP>=0"]) == 0
    out = capsys.readouterr().out
    for words in (
        "AP_small",
        "AP no-mask",
        "8 to 16 px",
        "boxes on nothing",
        "paired bootstrap",
        "Fewer than 20",
        "passed",
    ):
        assert words in " ".join(out.split())


SETS = {
    "no boxes": [(noise(60, 80), []), (noise(60, 80), [])],
    "five hundred boxes": [
        (noise(200, 250), [[x * 10, y * 10, 8, 8] for x in range(25) for y in range(20)])
    ],
    "one pixel": [(noise(60, 80), [[3, 3, 1, 1], [50, 40, 1, 1]])],
    "very wide": [(noise(6, 3000), [[100, 0, 300, 6]])],
    "very tall": [(noise(3000, 6), [[0, 100, 6, 300]])],
    "grey": [(noise(60, 80, 1), [[10, 10, 30, 30]])],
    "transparent": [(noise(60, 80, 4), [[10, 10, 30, 30]])],
}


@pytest.mark.parametrize("name", SETS)
def test_unusual_sets_of_one_class(capsys, tmp_path, monkeypatch, name):
    """Each is trained on (but for the one without boxes, which cannot be) and scored."""
    pytest.importorskip("edgectl_rtmdet")
    monkeypatch.chdir(tmp_path)
    usual = [(noise(60, 80), [[10, 10, 30, 30]])] * 2
    write_set(tmp_path / "odd", "train", usual if name == "no boxes" else SETS[name] * 2)
    write_set(tmp_path / "odd", "valid", SETS[name])
    assert train("rtmdet", "odd", "odd") == 0
    code, parsed = document(capsys, "eval")
    assert code == 0
    empty = name == "no boxes"
    assert (parsed["data"]["metrics"]["AP"] == -1.0) is empty
    found = {f["kind"] for f in parsed["data"]["diagnosis"]}
    assert ("no_objects" in found) is empty
    assert ("recall_bound" in found) is (name == "five hundred boxes")


def test_nothing_to_learn(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split in ("train", "valid"):
        write_set(tmp_path / "empty", split, SETS["no boxes"])
    words = ["--data", "empty", "--imgsz", "64", "--weights", "none"]
    code, parsed = document(capsys, "train", "fomo", *words)
    assert code == 5 and "no labelled images" in parsed["error"]["message"]


def test_an_empty_split_is_a_usage_error(here, capsys):
    code, parsed = document(capsys, "eval", DETECTOR, "--split", "")
    assert code == 2
    assert "train, valid" in parsed["error"]["fix"]
