from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from edgectl.config import resolved
from edgectl.errors import (
    ConfigError,
    DataError,
    EdgectlError,
    InterruptedRunError,
)
from edgectl.metrics.evaluator import evaluate, torch_predictor
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RunDirectory, create_run
from edgectl.train.float_trainee import FloatTrainee
from edgectl.train.loop import Trainer
from edgectl.train.progress import EpochReport, LineReporter, Reporter, RunStart
from edgectl.train.resume import check_resumable


class StopAfter(Reporter):
    """What Ctrl-C does, at a chosen moment."""

    def __init__(self, epoch: int = 0, step: int = 0, number: int = signal.SIGINT) -> None:
        self.epoch, self.step, self.number, self.done = epoch, step, number, 0

    def on_step(self, step: int) -> None:
        if self.done == self.epoch and step == self.step:
            os.kill(os.getpid(), self.number)

    def on_epoch(self, report: EpochReport) -> None:
        self.done = report.epoch
        if self.done == self.epoch and not self.step:
            os.kill(os.getpid(), self.number)


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for n, x in value.items() for k, v in flatten(x, f"{prefix}/{n}").items()}
    if isinstance(value, list | tuple):
        return flatten(dict(enumerate(value)), prefix)
    return {prefix: value}


def assert_same(one: Path, two: Path, *, tensors: int) -> None:
    a, b = (flatten(Checkpoint.load(p).to_dict()) for p in (one, two))
    assert a.keys() == b.keys()
    assert sum(isinstance(v, torch.Tensor) for v in a.values()) >= tensors
    for key in a:
        if "seconds" in key:
            continue
        equal = (
            torch.equal(a[key], b[key]) if isinstance(a[key], torch.Tensor) else a[key] == b[key]
        )
        assert equal, key


@pytest.fixture(scope="module")
def whole(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """An uninterrupted run of six epochs."""
    run = create_run("tiny", root=tmp_path_factory.mktemp("whole"))
    Trainer(FloatTrainee(tiny.make_setup())).fit(run)
    return run


def test_a_run_learns_and_leaves_its_papers(whole: RunDirectory) -> None:
    events = [e for e in read_events(whole.events) if e["event"] == "epoch"]
    assert [e["epoch"] for e in events] == [1, 2, 3, 4, 5, 6]
    assert events[-1]["losses"]["loss"] < 0.5 * events[0]["losses"]["loss"]
    assert all(e["lr"] > 0 and e["images_per_second"] > 0 for e in events)
    config = resolved.load(whole.config)
    assert config.train.epochs == 6
    papers = json.loads(whole.provenance.read_text())
    assert papers["seed"] == 0 and papers["versions"]["torch"] == torch.__version__
    assert papers["hardware"]["threads"] == 1
    assert (whole.plots / "loss.png").stat().st_size > 1000
    assert (whole.plots / "metrics.png").is_file()


def test_the_shipped_metrics_are_those_of_the_shipped_file(
    tiny: ModuleType, whole: RunDirectory
) -> None:
    import hashlib

    document = json.loads(whole.metrics.read_text())
    checkpoint = Checkpoint.load(whole.best)
    assert document["best"]["sha256"] == hashlib.sha256(whole.best.read_bytes()).hexdigest()
    assert "held" not in document["best_chosen_on"] and "40 images" in document["best_chosen_on"]

    setup = tiny.make_setup()
    model = tiny.TinyNet(8)
    model.load_state_dict(checkpoint.weights)
    post = tiny.TinyPostprocess()
    assert checkpoint.operating_point is not None
    post.threshold = checkpoint.operating_point.threshold
    predict = torch_predictor(model.eval(), setup.preprocess, torch.device("cpu"))
    figures = evaluate(predict, setup.valid, post, setup.outputs, setup.metrics)
    assert figures["f1"] == pytest.approx(document["best"]["metrics"]["f1"], abs=1e-6)
    assert figures["f1"] > 0.8
    assert checkpoint.training is None


@pytest.mark.parametrize(
    "stop", [(3, 0, signal.SIGINT), (2, 2, signal.SIGTERM), (0, 3, signal.SIGINT)]
)
def test_interrupted_and_resumed_equals_uninterrupted(
    tiny: ModuleType, whole: RunDirectory, tmp_path: Path, stop: tuple[int, int, int]
) -> None:
    run = create_run("tiny", root=tmp_path)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(InterruptedRunError) as e:
        Trainer(FloatTrainee(tiny.make_setup()), StopAfter(*stop)).fit(run)
    assert e.value.exit_code == 130
    assert e.value.fix == f"edgectl train --resume {run.path}"
    stopped = Checkpoint.load(run.last)
    assert stopped.epoch == stop[0]
    result = Trainer(FloatTrainee(tiny.make_setup())).fit(run, stopped)
    assert result.epochs == 6
    assert_same(whole.last, run.last, tensors=30)
    assert_same(whole.best, run.best, tensors=8)
    epochs = [e["epoch"] for e in read_events(run.events) if e["event"] == "epoch"]
    assert epochs == [1, 2, 3, 4, 5, 6]
    assert signal.getsignal(signal.SIGINT) is handler


def test_resuming_a_complete_run_changes_nothing(tiny: ModuleType, tmp_path: Path) -> None:
    run = create_run("tiny", root=tmp_path)
    first = Trainer(FloatTrainee(tiny.make_setup(epochs=2))).fit(run)
    before = run.last.read_bytes()
    again = Trainer(FloatTrainee(tiny.make_setup(epochs=2))).fit(run, Checkpoint.load(run.last))
    assert again.metrics == first.metrics
    assert run.last.read_bytes() == before


def test_resume_refuses_another_plan_or_other_data(tiny: ModuleType, whole: RunDirectory) -> None:
    import dataclasses

    last = Checkpoint.load(whole.last)
    with pytest.raises(ConfigError, match=r"train.epochs: 6 -> 12"):
        Trainer(FloatTrainee(tiny.make_setup(epochs=12))).fit(whole, last)
    changed = {"name": "drawn", "fingerprint": {"train": "f" * 16}, "images": {"train": 32}}
    with pytest.raises(DataError, match="changed"):
        Trainer(FloatTrainee(dataclasses.replace(tiny.make_setup(), data=changed))).fit(whole, last)
    with pytest.raises(EdgectlError, match="no training state"):
        Trainer(FloatTrainee(tiny.make_setup())).fit(whole, Checkpoint.load(whole.best))


def test_compilers_are_facts_of_a_machine_not_of_a_run(
    tiny: ModuleType, whole: RunDirectory
) -> None:
    import dataclasses

    from edgectl.config.schema import ToolConfig

    setup = tiny.make_setup()
    tools = {"compiler": ToolConfig(command="/opt/compiler")}
    moved = dataclasses.replace(setup, config=setup.config.model_copy(update={"tools": tools}))
    check_resumable(Checkpoint.load(whole.last), moved, whole)


def test_a_checkpoint_of_ones_own_is_where_training_starts(
    tiny: ModuleType, whole: RunDirectory, tmp_path: Path
) -> None:
    """The family's reader, which rewrites foreign weights, is not asked: tiny's would raise."""
    import dataclasses

    setup = dataclasses.replace(tiny.make_setup(epochs=0), weights=whole.best)
    run = create_run("tiny", root=tmp_path)
    Trainer(FloatTrainee(setup)).fit(run)
    before, after = (Checkpoint.load(r.best).weights for r in (whole, run))
    assert all(torch.equal(before[k], after[k]) for k in before)
    with pytest.raises(EdgectlError, match="not of other"):
        Trainer(FloatTrainee(dataclasses.replace(setup, family_name="other"))).fit(
            create_run("tiny", root=tmp_path)
        )


def test_a_diverged_run_names_epoch_and_step(tiny: ModuleType, tmp_path: Path) -> None:
    run = create_run("tiny", root=tmp_path)
    with pytest.raises(EdgectlError) as e:
        Trainer(FloatTrainee(tiny.make_setup(explode=True))).fit(run)
    assert e.value.where == "epoch 2, step 2"  # the tenth, at eight an epoch
    assert e.value.fix is not None and "--lr" in e.value.fix
    last = Checkpoint.load(run.last)
    assert last.epoch == 1
    assert all(v.isfinite().all() for v in last.weights.values())


def test_an_overflowing_update_is_not_written(tiny: ModuleType, tmp_path: Path) -> None:
    run = create_run("tiny", root=tmp_path)
    setup = tiny.make_setup(
        optimizer={"name": "sgd", "lr": 1e38, "clip_norm": 0.0}, schedule={"name": "constant"}
    )
    with pytest.raises(EdgectlError, match="not finite"):
        Trainer(FloatTrainee(setup)).fit(run)
    assert Checkpoint.load(run.last).epoch == 0


def test_without_held_back_images_the_last_epoch_is_the_best(
    tiny: ModuleType, tmp_path: Path
) -> None:
    run = create_run("tiny", root=tmp_path)
    Trainer(FloatTrainee(tiny.make_setup(holdout=False, epochs=3))).fit(run)
    best, last = Checkpoint.load(run.best), Checkpoint.load(run.last)
    assert best.epoch == last.epoch == 3
    assert best.operating_point is None
    assert "last epoch" in json.loads(run.metrics.read_text())["best_chosen_on"]


def test_early_stop(tiny: ModuleType, tmp_path: Path) -> None:
    run = create_run("tiny", root=tmp_path)
    # with this learning rate no evaluation can beat the first
    setup = tiny.make_setup(early_stop=2, eval_interval=1, optimizer={"lr": 1e-12}, epochs=20)
    assert Trainer(FloatTrainee(setup)).fit(run).epochs == 3


def test_tensorboard_events_are_written(tiny: ModuleType, tmp_path: Path) -> None:
    run = create_run("tiny", root=tmp_path)
    Trainer(FloatTrainee(tiny.make_setup(tensorboard=True, epochs=1))).fit(run)
    assert list(run.path.rglob("events.out.tfevents.*"))


def test_line_reporter(capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    reporter = LineReporter(sys.stderr)
    reporter.on_start(RunStart(Path("r"), 9, 4, 7, "cpu", "bf16", 2))
    reporter.on_epoch(EpochReport(5, 9, {"loss": 0.5}, 0.001, 200.0, {"f1": 0.75}))
    out = capsys.readouterr()
    assert out.out == ""
    assert "from epoch 5" in out.err
    assert "epoch 5/9  loss 0.5000  f1 0.750  lr 1.00e-03  200 img/s" in out.err
