"""kill -9 in the middle of an epoch, then resume: the weights of an unharmed run, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RunDirectory, create_run
from edgectl.train.float_trainee import FloatTrainee
from edgectl.train.loop import Trainer


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_kill_9_then_resume(tiny: ModuleType, tmp_path: Path) -> None:
    program = [sys.executable, str(Path(__file__).with_name("tiny.py")), str(tmp_path / "killed")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "2":
                process.kill()
    assert process.returncode == -9
    run = RunDirectory(tmp_path / "killed" / "train" / "tiny-001")
    assert 2 <= Checkpoint.load(run.last).epoch < 6

    Trainer(FloatTrainee(tiny.make_setup())).fit(run, Checkpoint.load(run.last))
    whole = create_run("tiny", root=tmp_path / "whole")
    Trainer(FloatTrainee(tiny.make_setup())).fit(whole)
    one, two = Checkpoint.load(run.last), Checkpoint.load(whole.last)
    assert one.epoch == two.epoch == 6
    assert all(torch.equal(one.weights[k], two.weights[k]) for k in two.weights)
    assert one.metrics == two.metrics
    assert one.training is not None and two.training is not None
    for key in ("exp_avg", "exp_avg_sq"):
        for i, state in two.training["optimizer"]["state"].items():
            assert torch.equal(one.training["optimizer"]["state"][i][key], state[key])
    epochs = [e["epoch"] for e in read_events(run.events) if e["event"] == "epoch"]
    assert epochs == [1, 2, 3, 4, 5, 6]
    assert not list(run.checkpoints.glob(".*"))
