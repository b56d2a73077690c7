"""Callbacks of plugins follow a run, and one that fails is named."""

from __future__ import annotations

import dataclasses
import sys
import types

import pytest

from edgectl.errors import PluginError
from edgectl.plugins.info import CallbackInfo
from edgectl.plugins.manager import LoadedPlugin
from edgectl.plugins.registry import Offer, Table, installed
from edgectl.runs.rundir import create_run
from edgectl.train import callbacks
from edgectl.train.distributed.processes import Processes
from edgectl.train.float_trainee import FloatTrainee
from edgectl.train.loop import Trainer
from edgectl.train.progress import Reporter


@pytest.fixture
def offer(monkeypatch):
    """offer(classes...): registers them as callbacks of plugins a, b, ..."""

    def register(*classes):
        module = types.ModuleType("fake_callbacks")
        offers = []
        for name, one in zip("abc", classes, strict=False):
            setattr(module, name, one)
            info = CallbackInfo(name, "a test's", f"fake_callbacks:{name}")
            offers.append(Offer(info, LoadedPlugin(name, f"edgectl-{name}", "1")))
        monkeypatch.setitem(sys.modules, "fake_callbacks", module)
        found = dataclasses.replace(installed(), callbacks=Table("callback", offers))
        monkeypatch.setattr(callbacks, "installed", lambda: found)

    return register


def recording(calls):
    class Recording:
        def on_start(self, start):
            calls.append(("start", start.epochs))

        def on_step(self, step):
            calls.append(("step", step))

        def on_epoch(self, report):
            calls.append(("epoch", report.epoch))

        def on_end(self):
            calls.append(("end",))

    return Recording


def test_a_callback_hears_of_every_step(offer, tiny, tmp_path):
    calls = []
    offer(recording(calls))
    setup = tiny.make_setup(epochs=2)
    Trainer(FloatTrainee(setup)).fit(create_run("tiny", root=tmp_path))
    steps = [("step", i + 1) for i in range(setup.train.steps_per_epoch)]
    assert calls == [("start", 2), *steps, ("epoch", 1), *steps, ("epoch", 2), ("end",)]


def test_one_that_fails_is_named_and_the_others_hear_the_end(offer, tiny, tmp_path):
    calls = []

    class Failing(Reporter):
        def on_epoch(self, report):
            raise ValueError("no\nconnection")

    offer(Failing, recording(calls))
    with pytest.raises(PluginError, match="plugin 'a' failed: ValueError: no connection"):
        Trainer(FloatTrainee(tiny.make_setup(epochs=1))).fit(create_run("tiny", root=tmp_path))
    assert calls[-1] == ("end",)


def test_other_processes_have_none(offer):
    offer(recording([]))
    plain = Reporter()
    assert callbacks.follow_run(plain, Processes(rank=1, world=2)) is plain
