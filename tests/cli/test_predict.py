from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

import edgectl as api


def edgectl(*words):
    result = subprocess.run(
        [sys.executable, "-m", "edgectl", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, json.loads(result.stdout)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A FOMO run of one epoch on white squares, and its images."""
    root = tmp_path_factory.mktemp("project")
    for split in ("train", "val"):
        (root / "set/images" / split).mkdir(parents=True)
        (root / "set/labels" / split).mkdir(parents=True)
        for i in range(4):
            image = np.zeros((80, 160, 3), np.uint8)
            image[20:40, 30 * i : 30 * i + 20] = 255
            cv2.imwrite(str(root / f"set/images/{split}/{i}.png"), image)
            line = f"0 {(30 * i + 10) / 160} {30 / 80} {20 / 160} {20 / 80}\n"
            (root / f"set/labels/{split}/{i}.txt").write_text(line)
    (root / "set/data.yaml").write_text("train: images/train\nval: images/val\nnames: [square]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        words = ["--data", "set", "--imgsz", "64", "--epochs", "1", "--weights", "none"]
        code, _ = edgectl("train", "fomo", *words, "--name", "a")
    assert code == 0
    return root


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    return project


def test_a_image_with_the_latest_run(here, tmp_path):
    words = ["--threshold", "0.0", "--out", tmp_path / "seen"]
    code, document = edgectl("predict", "set/images/val/1.png", *words)
    assert code == 0
    (result,) = document["data"]["results"]
    for found in result["found"]:
        x0, y0, x1, y1 = found["box"]
        assert found["label"] == "square"
        assert 0 <= x0 <= x1 <= 160
        assert 0 <= y0 <= y1 <= 80
    assert cv2.imread(str(tmp_path / "seen/1.png")).shape == (80, 160, 3)


def test_a_directory_with_a_named_run(here):
    code, document = edgectl("predict", "runs/train/a", "set/images/val")
    assert code == 0
    assert [r["image"] for r in document["data"]["results"]] == [f"{i}.png" for i in range(4)]


def test_drawings_never_replace_images_or_each_other(here, tmp_path):
    source = tmp_path / "mine"
    source.mkdir()
    image = np.full((40, 60, 3), 7, np.uint8)
    for name in ("a.bmp", "a.png", "A.jpg", "b.png"):
        cv2.imwrite(str(source / name), image)
    before = {p.name: p.read_bytes() for p in source.iterdir()}
    for words in ([source], [source / "a.png"], [source / "a.png", "--threshold", "0.5"]):
        code, document = edgectl("predict", *words, "--out", source)
        assert (code, document["error"]["code"]) == (2, "E-USAGE")
    assert {p.name: p.read_bytes() for p in source.iterdir()} == before
    code, document = edgectl("predict", source, "--out", tmp_path / "drawn")
    assert code == 0
    drawn = [r["drawn"] for r in document["data"]["results"]]
    assert len({d.lower() for d in drawn}) == 4 == len(list((tmp_path / "drawn").iterdir()))
    assert {p.name: p.read_bytes() for p in source.iterdir()} == before


def test_a_video(here, tmp_path):
    path = tmp_path / "film.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (160, 80))
    if not video.isOpened():
        pytest.skip("OpenCV writes no video here")
    for _ in range(5):
        video.write(np.zeros((80, 160, 3), np.uint8))
    video.release()
    code, document = edgectl("predict", path, "--every", "2")
    assert code == 0
    names = [r["image"] for r in document["data"]["results"]]
    assert names == [f"film_{n:06}.png" for n in (0, 2, 4)]


@pytest.mark.parametrize(
    ("source", "content", "code"),
    [("gone.jpg", None, 5), ("text.mp4", b"no video", 5), ("broken.png", b"\x89PNG", 5)],
)
def test_what_cannot_be_read(here, tmp_path, source, content, code):
    path = tmp_path / source
    if content is not None:
        path.write_bytes(content)
    found, document = edgectl("predict", path)
    assert found == code
    assert document["error"]["message"]


def test_an_empty_directory(here, tmp_path):
    assert edgectl("predict", tmp_path)[0] == 5


def test_transparent_pixels_are_laid_over_the_model_s_own_pad_value(here, tmp_path, monkeypatch):
    """As in training: behind nothing lies what lies beside the image."""
    settings = {"preprocess.pad_value": 7}
    run = api.train("fomo", data="set", imgsz=64, epochs=1, weights="none", set=settings)
    clear = np.zeros((20, 30, 4), np.uint8)
    clear[..., :3], clear[:5, :, 3] = 99, 255
    cv2.imwrite(str(tmp_path / "clear.png"), clear)
    seen = []
    monkeypatch.setattr(
        "edgectl.workflows.predict.find", lambda target, image: seen.append(image) or []
    )
    api.predict(run.path, tmp_path / "clear.png")
    assert (seen[0][:5] == 99).all() and (seen[0][5:] == 7).all()
