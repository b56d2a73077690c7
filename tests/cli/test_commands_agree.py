"""``data info``, ``data check`` and ``train`` see the same set, or refuse it alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgectl.cli.app import run

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are absent")
SLUGS = (
    [p.name for p in sorted(CASES.iterdir()) if (p / "set").exists() or (p / "set.zip").exists()]
    if CASES.is_dir()
    else []
)
# what only looking at every image can find, or what spoils a score and not the reading
ON_LOOKING = {"leakage", "wrong_size", "unreadable_image", "near_duplicate", "empty_split"}


@pytest.fixture
def edgectl(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))

    def call(*words):
        capsys.readouterr()
        code = run([*map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def path_of(slug):
    folder = CASES / slug
    for name in ("set.zip", "set/result.json"):
        if (folder / name).is_file():
            return folder / name
    return folder / "set"


def require_agreement(edgectl, slug):
    code, told = edgectl("data", "info", path_of(slug))
    checked, found = edgectl("data", "check", path_of(slug))
    kinds = {
        f["kind"] for f in (found["data"] or {}).get("findings", ()) if f["severity"] == "error"
    }
    if code:
        assert (code, checked) == (5, 5), (told["error"], found["error"])
        return
    assert not kinds - ON_LOOKING, kinds
    assert checked == (5 if kinds else 0)
    assert found["data"]["images"] == sum(s["images"] for s in told["data"]["splits"].values())


@pytest.mark.parametrize("slug", [s for s in SLUGS if s.startswith(("coco", "voc", "zip"))])
def test_info_and_check_agree(edgectl, slug):
    require_agreement(edgectl, slug)


@pytest.mark.slow
@pytest.mark.parametrize("slug", SLUGS)
def test_info_and_check_agree_about_every_case(edgectl, slug):
    require_agreement(edgectl, slug)


@pytest.mark.slow
@pytest.mark.parametrize(
    "slug", ["yolo_pixels_not_normalised", "coco_rle_all_crowd", "yolo_pose_labels"]
)
def test_train_agrees_with_info(edgectl, slug, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told = edgectl("data", "info", path_of(slug))
    words = ("--imgsz", 64, "--epochs", 1, "--batch", 2)
    trained, document = edgectl("train", "fomo", "--data", path_of(slug), *words)
    assert trained == code
    if code:
        assert document["error"]["message"] == told["error"]["message"]
