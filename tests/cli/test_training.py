"""How a run is put together from configuration, family and data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgectl.cli.app import run
from edgectl.cli.session import Session
from edgectl.config.schema import PreprocessConfig
from edgectl.data.catalog.demo import draw_split
from edgectl.errors import ConfigError
from edgectl.plugins.registry import build_registry
from edgectl.runs.checkpoint import Checkpoint
from edgectl.spec import PreprocessSpec
from edgectl.train.float_trainee import FloatTrainee
from edgectl.workflows.opening.datasets import open_data
from edgectl.workflows.opening.families import open_family
from edgectl.workflows.training.plan import plan_new_run
from edgectl.workflows.training.setup import make_setup

FLAGS = {"data": {"name": "set"}, "input_size": [64, 64], "train": {"weights": "none"}}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a data set ``set`` of 12 images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    draw_split(tmp_path / "set" / "train", 12, (0, 0))
    draw_split(tmp_path / "set" / "valid", 4, (0, 1))
    return tmp_path


def setup_of(family, *assignments):
    plan = plan_new_run(family, FLAGS, list(assignments))
    session = Session()
    context = session.open_context()
    index = open_data(context, "set", plan.config)
    return make_setup(context, family, plan.config, index), session


@pytest.fixture
def centered():
    """A family with a preprocessing of its own."""
    opened = open_family(build_registry(), "fomo")

    class Centered(type(opened.family)):
        def preprocess(self, config, input_size):
            return PreprocessSpec(input_size, "letterbox", pad_value=7, pad_side="center")

    return replace(opened, family=Centered())


def test_preprocessing_is_the_family_s_where_nobody_says_otherwise(here, centered):
    setup, _ = setup_of(centered)
    assert setup.preprocess == PreprocessSpec((64, 64), "letterbox", pad_value=7, pad_side="center")
    overridden, _ = setup_of(centered, "preprocess.pad_value=0")
    assert overridden.preprocess == replace(setup.preprocess, pad_value=0)
    # what the run's files say is what it did
    assert overridden.config.preprocess == PreprocessConfig(
        resize="letterbox", pad_side="center", pad_value=0, channel_order="rgb"
    )


def test_gray_is_made_of_the_family_s_own_preprocessing(here, centered):
    setup, _ = setup_of(centered, "preprocess.channel_order=gray")
    assert setup.preprocess == PreprocessSpec(
        (64, 64),
        pad_value=7,
        pad_side="center",
        channel_order="gray",
        mean=(0.0,),
        std=(255.0,),
    )
    assert setup.config.preprocess.channel_order == "gray"
    with pytest.raises(ConfigError, match="fomo sees rgb"):
        setup_of(centered, "preprocess.channel_order=bgr")


def test_a_family_that_takes_color_alone_says_so(here, centered):
    class Color(type(centered.family)):
        def build(self, config, *, num_classes):
            return super().build(config, num_classes=num_classes)

    setup, _ = setup_of(replace(centered, family=Color()), "preprocess.channel_order=gray")
    with pytest.raises(ConfigError, match="fomo takes images in color alone"):
        FloatTrainee(setup).start(resuming=False)


def test_early_stop_without_images_to_judge_by_is_warned_of(here, centered):
    _, session = setup_of(centered, "train.early_stop=3", "data.holdout=0.1")
    (warning,) = [w for w in session.warnings if "early_stop" in w]
    assert "data.holdout" in warning and "4 of 12" in warning
    for assignments in (["data.holdout=0.1"], ["train.early_stop=3", "data.holdout=0.4"]):
        _, session = setup_of(centered, *assignments)
        assert not [w for w in session.warnings if "early_stop" in w]


def test_a_run_is_resumed_without_the_weights_it_began_from(here):
    words = ["train", "fomo", "--data", "set", "--imgsz", "64", "--epochs", "1"]
    assert run([*words, "--weights", "none", "--name", "first"]) == 0
    weights = here / "runs/train/first/checkpoints/best.pt"
    assert run([*words, "--weights", str(weights), "--name", "second"]) == 0
    weights.unlink()
    assert run(["train", "--resume", "runs/train/second"]) == 0
    assert Checkpoint.load(here / "runs/train/second/checkpoints/last.pt").epoch == 1
