"""Quantization-aware training on the one engine: live events, Ctrl-C, kill -9, resumption to the bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from edgectl.cli.app import run as edgectl
from edgectl.data.catalog.demo import draw_split
from edgectl.errors import ArtifactError
from edgectl.qat.checkpoint import QuantizedCheckpoint
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RunDirectory
from edgectl.train.progress import EpochReport, LineReporter

EPOCHS = 4
FLOAT = "runs/train/small"
FAST = [
    *("--set", "quant.observer=minmax", "--set", "quant.equalize=false"),
    *("--set", "quant.bias_correction=false", "--set", "quant.silence=false"),
    *("--set", "qat.batch=8", "--set", "qat.teacher_weight=0.5"),
]
WORDS = ["qat", FLOAT, "--backend", "tflite", "--epochs", str(EPOCHS), *FAST]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A float run, and a QAT run nobody disturbed, ``runs/qat/whole``."""
    root = tmp_path_factory.mktemp("qat")
    for key, (split, count) in enumerate({"train": 24, "valid": 4}.items()):
        draw_split(root / "set" / split, count, (0, key))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OMP_NUM_THREADS", "1")
        words = ["train", "fomo", "--data", "set", "--imgsz", "64", "--epochs", "1"]
        extra = ["--weights", "none", "--name", "small", "--set", "data.holdout=0.2"]
        more = ["--set", "quant.max_drop=1.0", "--set", "augment.repeats=1", "--device", "cpu"]
        assert edgectl([*words, *extra, *more]) == 0
        assert edgectl([*WORDS, "--name", "whole"]) == 0
        yield root


def document(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = edgectl([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def start(name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "edgectl", *WORDS, "--name", name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def epochs(run: RunDirectory) -> list[int]:
    return [e["epoch"] for e in read_events(run.events) if e["event"] == "epoch"]


def same(run: RunDirectory, whole: RunDirectory) -> None:
    """The file, and everything a run could go on from."""
    ours, theirs = (r.path / "export/tflite-int8/model.tflite" for r in (run, whole))
    assert ours.read_bytes() == theirs.read_bytes()
    one, two = (QuantizedCheckpoint.load(r.last) for r in (run, whole))
    assert one.epoch == two.epoch == EPOCHS
    assert all(torch.equal(one.weights[k], two.weights[k]) for k in two.weights)
    assert one.training is not None and two.training is not None
    for i, state in two.training["optimizer"]["state"].items():
        for key in ("exp_avg", "exp_avg_sq"):
            assert torch.equal(one.training["optimizer"]["state"][i][key], state[key])
    assert epochs(run) == list(range(1, EPOCHS + 1))
    assert QuantizedCheckpoint.load(run.best).epoch == QuantizedCheckpoint.load(whole.best).epoch


def kill_and_resume(capsys: pytest.CaptureFixture[str], name: str, delay: float) -> bool:
    """Kills a run ``delay`` seconds after its first checkpoint; False where it was done by then."""
    run = RunDirectory(Path("runs/qat") / name)
    with start(name) as process:
        while not run.last.is_file() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
    # it may have ended by itself between the two
    done = process.returncode != -signal.SIGKILL
    code, resumed = document(capsys, "qat", "--resume", str(run.path))
    assert code == 0, resumed["error"]
    assert resumed["data"]["epochs"] == EPOCHS
    same(run, RunDirectory(Path("runs/qat/whole")))
    return not done


def test_kill_9_then_resume(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kill_and_resume(capsys, "killed", 0.3)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kill_9_at_ten_moments_then_resume(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(Path("runs/qat/timed"))
    with start("timed") as process:
        while not run.last.is_file():
            time.sleep(0.005)
        began = time.monotonic()
        process.wait()
        length = time.monotonic() - began
    killed = [
        kill_and_resume(capsys, f"killed-{i}", random.uniform(0.0, length)) for i in range(10)
    ]
    assert sum(killed) >= 5


def test_what_a_run_leaves(project: Path) -> None:
    run = RunDirectory(project / "runs/qat/whole")
    events = read_events(run.events)
    assert events[0]["event"] == "started" and epochs(run) == list(range(1, EPOCHS + 1))
    assert set(events[-1]["losses"]) == {"loss", "task", "teacher"}
    assert all(e["holdout"] is not None for e in events[1:])
    assert run.float_model is not None and Path(run.float_model).name == "best.pt"
    metrics = json.loads(run.metrics.read_text())
    assert metrics["best_epoch"] == QuantizedCheckpoint.load(run.best).epoch
    config = run.config.read_text()
    assert 'backend = "tflite"' not in config and f"epochs = {EPOCHS}" in config


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def interrupt(self: LineReporter, report: EpochReport) -> None:
        # the event is on the disk while the run goes on
        seen.append(epochs(RunDirectory(Path("runs/qat/stopped"))))
        if report.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(LineReporter, "on_epoch", interrupt)
        code, stopped = document(capsys, *WORDS, "--name", "stopped")
    assert code == 130 and seen == [[1], [1, 2]]
    assert stopped["error"]["fix"] == "edgectl qat --resume runs/qat/stopped"
    for words, what in [
        (["--backend", "ncnn"], "trains for tflite"),
        (["--epochs", "9"], "keeps its configuration"),
        (["--name", "x"], "keeps its name"),
    ]:
        code, refused = document(capsys, "qat", "--resume", "runs/qat/stopped", *words)
        assert code == 2 and what in refused["error"]["message"]
    code, _ = document(capsys, *stopped["error"]["fix"].split()[1:])
    assert code == 0
    same(RunDirectory(Path("runs/qat/stopped")), RunDirectory(Path("runs/qat/whole")))


def test_a_checkpoint_that_is_none(project: Path, tmp_path: Path) -> None:
    whole = RunDirectory(project / "runs/qat/whole")
    with pytest.raises(ArtifactError, match="quantization-aware"):
        QuantizedCheckpoint.load(project / FLOAT / "checkpoints/last.pt")
    data = whole.last.read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactError, match="truncated"):
        QuantizedCheckpoint.load(tmp_path / "cut.pt")


@pytest.mark.slow
def test_two_processes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "--device", "cpu", "--devices", "2", "--name", "joint", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "edgectl", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    parsed = json.loads(done.stdout)
    assert parsed["ok"], parsed["error"]
    run = RunDirectory(Path(parsed["data"]["run"]))
    assert json.loads(run.provenance.read_text())["hardware"]["processes"] == 2
    ours, alone = (
        [e["losses"]["loss"] for e in read_events(r.events) if e["event"] == "epoch"]
        for r in (run, RunDirectory(Path("runs/qat/whole")))
    )
    assert ours == pytest.approx(alone, rel=0.02)
