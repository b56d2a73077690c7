"""Every command, killed or out of disk at every file operation: a name is old or new, the next one works."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
import torch

from edgectl.artifacts.artifact import open_artifact
from edgectl.cli.app import run
from edgectl.files import find_artifacts
from edgectl.testing.crashes import (
    contents,
    copy_at_every_point,
    list_leftovers,
    run_apart,
    run_with_full_disk,
)
from edgectl.testing.line import project_in

RUN = "runs/train/kit-001"
EVERY = 4
"""One in so many killed commands is followed by the next one; the state is looked at after each."""


@dataclass(frozen=True)
class Command:
    """``target``: what it writes. ``taken``: its exit code where that is there. ``parts``: each file in it
    is whole, and not all of them together."""

    words: tuple[str, ...]
    target: str
    taken: int = 0
    parts: bool = False


def command(words: str, target: str, taken: int = 0, *, parts: bool = False) -> Command:
    return Command(tuple(words.split()), target, taken, parts)


def export(backend: str, more: str = "", out: str = "") -> Command:
    target = f"{RUN}/export/{out or backend + '-int8'}"
    return command(f"export {RUN} --backend {backend} --calib-images 3 {more}", target)


COMMANDS = {
    "init": command("init fresh", "fresh/edgectl.toml", 2),
    "init here": command("init", "edgectl.toml", 2),
    "new family": command("plugins new sapling --kind family", "edgectl-sapling", 2),
    "new backend": command("plugins new sapling --kind backend", "edgectl-sapling", 2),
    "new dataset": command("plugins new sapling --kind dataset", "edgectl-sapling", 2),
    "convert coco": command("data convert set copy --to coco", "copy", 5),
    "convert voc": command("data convert set copy --to voc", "copy", 5),
    "convert yolo": command("data convert set copy --to yolo", "copy", 5),
    "convert csv": command("data convert set copy --to csv", "copy", 5),
    "split": command("data split set copy --test 0.2", "copy", 5),
    "check --fix": command("data check set --fix copy", "copy", 5),
    "calib": command("data calib set --count 4 --out copy", "copy", 5),
    "calib npy": command("data calib set --count 4 --to npy --out copy", "copy", 5),
    "pack": command("data pack set copy.lmdb --workers 1", "copy.lmdb", 5),
    "preview": command("data preview set", "preview.png"),
    "report": command(f"report {RUN}", f"{RUN}/report.html"),
    "predict": command(f"predict {RUN} set/valid --out seen", "seen", parts=True),
    "analyze": command(
        f"quant analyze {RUN} --backend tflite --calib-images 3 --html page.html", "page.html"
    ),
    "deploy": command(f"deploy {RUN} --target xiao-esp32s3 --out bundle", "bundle"),
    "export tflite": export("tflite", "--precision fp32", "tflite-fp32"),
    "export tflite over": export("tflite"),
    "export c": export("c"),
    "export ncnn": export("ncnn"),
    "export onnx": export("onnx", "--precision fp32", "onnx-fp32"),
    "export ascend": export("ascend", "--plan", "ascend-fp16"),
    "export hailo": export("hailo", "--plan"),
    "export horizon": export("horizon", "--plan"),
    "export rknn": export("rknn", "--plan"),
    "qat": command(f"qat {RUN} --backend tflite --epochs 1 --name q", "runs/qat/q", 2, parts=True),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory, edgectl_kit_family):
    """A trained run with an artifact, a bundle and a report of an older state."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("crashes") / "project"
    root.mkdir()
    with project_in(root) as made:
        made.train(edgectl_kit_family, "detection", 64)
        for words in (
            ["export", RUN, "--backend", "tflite", "--calib-images", "4"],
            ["deploy", RUN, "--target", "xiao-esp32s3", "--out", "bundle"],
            ["report", RUN],
        ):
            assert run(words) == 0
        (root / "bundle" / "labels.h").write_text("old")
        report = root / RUN / "report.html"
        report.write_text(report.read_text().replace("kit-001", "old"))
        yield root


def perform(chosen: Command):
    return lambda: run([*chosen.words, "--json"])


def copy_of(project: Path, place: Path) -> Path:
    shutil.copytree(project, place, symlinks=True)
    return place


def require_next(chosen: Command, project: Path, *, taken: bool) -> None:
    """The next command works, and leaves nothing of the dead one behind."""
    ended = run_apart(perform(chosen), project)
    assert ended.code in ({0, chosen.taken} if taken else {0}), ended.document or ended.text
    if ended.code == 0:
        assert list_leftovers(project) == []
    for artifact in find_artifacts(project / RUN):
        manifest = open_artifact(artifact).manifest
        assert manifest.gate is not None


def kill_everywhere(project: Path, tmp_path: Path, name: str, every: int = 1) -> int:
    """How many points there are; every so manieth one is followed by the next command."""
    chosen, place = COMMANDS[name], copy_of(project, tmp_path / "project")
    old = contents(place / chosen.target)
    done = copy_at_every_point(perform(chosen), place, tmp_path / "places")
    assert done.code == 0, done.document or done.text
    new = contents(place / chosen.target)
    assert new is not None and new != old
    places = sorted((tmp_path / "places").iterdir())
    assert len(places) > 2
    for number, left in enumerate(places):
        now = contents(left / chosen.target)
        assert chosen.parts or now in (old, new), f"{number}: {sorted(now or {})}"
        if number % every == 0:
            require_next(chosen, left, taken=now is not None)
    return len(places)


def fill_everywhere(project: Path, tmp_path: Path, name: str, every: int = 1) -> int:
    """How many points of a full disk were tried."""
    chosen, tried = COMMANDS[name], 0
    for point in range(1, 2000, every):
        place = copy_of(project, tmp_path / "project")
        old = contents(place / chosen.target)
        ended = run_with_full_disk(perform(chosen), place, point)
        if ended.points < point:
            assert ended.code == 0
            break
        tried += 1
        assert list_leftovers(place) == []
        if ended.code:
            require_full(ended)
            assert chosen.parts or contents(place / chosen.target) == old
        require_next(chosen, place, taken=contents(place / chosen.target) is not None)
        shutil.rmtree(place)
    assert tried
    return tried


def require_full(ended) -> None:
    assert ended.code == 1 and ended.document is not None, ended.text
    error = ended.document["error"]
    assert error["code"] != "E-INTERNAL", error
    assert "No space left on device" in error["message"], error


@pytest.mark.parametrize("name", ["init", "convert yolo", "report"])
def test_killed_at_some_points(project, tmp_path, name):
    assert kill_everywhere(project, tmp_path, name, every=9)


@pytest.mark.parametrize("name", ["init here", "pack", "report"])
def test_without_room_at_some_points(project, tmp_path, name):
    assert fill_everywhere(project, tmp_path, name, every=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_every_point(project, tmp_path, name, record_property):
    record_property("tried", kill_everywhere(project, tmp_path, name, EVERY))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_without_room_at_every_point(project, tmp_path, name, record_property):
    record_property("tried", fill_everywhere(project, tmp_path, name))
