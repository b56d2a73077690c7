"""Several processes train one run: what one would, through a kill -9, with one voice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RunDirectory

WORDS = "train fomo --data demo_mask --imgsz 64 --batch 24 --weights none --device cpu --devices 2"
TINY = f"{WORDS} --set train.eval_interval=4 --set data.cache='ram'".split()

PATIENCE = 800
"""Seconds. Two processes on two busy cores take ten times what they take alone."""

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows"),
    pytest.mark.timeout(3 * PATIENCE),
]


def start(directory: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edgectl", *words],
        cwd=directory,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def document(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """The one document on stdout, and stderr."""
    out, err = process.communicate(timeout=PATIENCE)
    assert out.count("\n") == 1, (out, err)
    parsed: dict[str, Any] = json.loads(out)
    assert process.returncode == (0 if parsed["ok"] else parsed["error"]["exit"])
    return parsed, err


def epochs(run: RunDirectory) -> list[int]:
    if not run.events.is_file():
        return []
    return [e["epoch"] for e in read_events(run.events) if e["event"] == "epoch"]


def wait_for_epoch(run: RunDirectory, epoch: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while max(epochs(run), default=0) < epoch:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rank(pid: int, number: int) -> bool:
    places = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return f"RANK={number}".encode() in places


def child(process: subprocess.Popen[str], number: int) -> int:
    """The process of one rank."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return next(int(pid) for pid in listed if rank(int(pid), number))


@pytest.mark.slow
def test_two_processes_learn_what_one_learns() -> None:
    program = Path(__file__).with_name("joint_steps.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    alone, together, unsynchronized = (
        torch.tensor(found[k]["losses"]) for k in ("alone", "together", "unsynchronized")
    )
    assert len(alone) >= 20
    assert float((alone - together).abs().max()) < 1e-8
    # the comparison would see a difference: batch norm over half a batch is one
    assert float((alone - unsynchronized).abs().max()) > 1e-2


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes in /proc")
@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_kill_9_then_resume(tmp_path: Path, victim: int) -> None:
    (tmp_path / "whole").mkdir()
    words = [*TINY, "--epochs", "12", "--json"]
    whole, _ = document(start(tmp_path / "whole", *words))
    assert whole["ok"]

    process = start(tmp_path, *words)
    run = RunDirectory(tmp_path / "runs/train/fomo-001")
    wait_for_epoch(run, 2)
    time.sleep(random.uniform(0.0, 0.5))  # any step of an epoch
    os.kill(child(process, victim), signal.SIGKILL)
    failed, err = document(process)
    assert failed["error"]["exit"] == 1
    assert f"process {victim} of 2 was ended by SIGKILL" in failed["error"]["message"]
    fix = "edgectl train --resume runs/train/fomo-001 --devices 2"
    assert failed["error"]["fix"] == fix
    assert "Traceback" not in err and fix in err
    reached = Checkpoint.load(run.last).epoch
    assert 2 <= reached < 12
    survivor = run.log_of(1 - victim).read_text()
    assert "Traceback" in survivor

    resumed, _ = document(start(tmp_path, *fix.split()[1:], "--json"))
    assert resumed["ok"] and resumed["data"]["epochs"] == 12
    assert epochs(run) == list(range(1, 13))
    assert resumed["data"]["metrics"] == whole["data"]["metrics"]
    ours, theirs = (
        Checkpoint.load(p / "runs/train/fomo-001/checkpoints/last.pt").weights
        for p in (tmp_path, tmp_path / "whole")
    )
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


@pytest.mark.slow
def test_interrupted_with_one_voice(tmp_path: Path) -> None:
    process = start(tmp_path, *TINY, "--epochs", "400", "--json")
    run = RunDirectory(tmp_path / "runs/train/fomo-001")
    wait_for_epoch(run, 1)
    process.send_signal(signal.SIGINT)
    stopped, err = document(process)
    assert stopped["error"]["code"] == "E-INTERRUPTED"
    assert stopped["error"]["exit"] == 130
    assert "--resume runs/train/fomo-001 --devices 2" in stopped["error"]["fix"]
    done = Checkpoint.load(run.last).epoch
    assert f"{done} epochs done" in stopped["error"]["message"]
    assert epochs(run) == list(range(1, done + 1))
    # one headline, one line an epoch, from one process
    lines = [line for line in err.splitlines() if line.startswith("epoch ")]
    assert [line.split("/")[0] for line in lines] == [f"epoch {i + 1}" for i in range(len(lines))]
    assert "2 processes, cpu" in err and "Traceback" not in err
    provenance = json.loads(run.provenance.read_text())
    assert provenance["hardware"]["processes"] == 2


def test_a_process_s_own_error_is_the_run_s(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = [*TINY, "--epochs", "1", "--json"]
    words[words.index("demo_mask")] = "empty"
    failed, err = document(start(tmp_path, *words))
    assert failed["error"]["code"] == "E-DATA" and failed["error"]["exit"] == 5
    assert "expected one of" in failed["error"]["fix"]
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_stops_answering_ends_the_run(tmp_path: Path, victim: int) -> None:
    words = [*TINY, "--epochs", "200", "--json", "--set", "train.peer_timeout=20"]
    process = start(tmp_path, *words)
    run = RunDirectory(tmp_path / "runs/train/fomo-001")
    wait_for_epoch(run, 2)
    stopped = child(process, victim)
    os.kill(stopped, signal.SIGSTOP)
    try:
        failed, _ = document(process)
    finally:
        if Path(f"/proc/{stopped}").exists():
            os.kill(stopped, signal.SIGKILL)
    assert f"process {victim} of 2 has not answered for 20 s" in failed["error"]["message"]
    assert run.last.is_file()
