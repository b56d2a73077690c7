"""Who falls silent is named, and the others end; who is slow is waited for."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from edgectl.train.distributed import heartbeat
from edgectl.train.distributed.heartbeat import KEY, Heartbeat


class Counters:
    """A store in memory."""

    def __init__(self) -> None:
        self.counts, self.lock, self.gone = Counter(), threading.Lock(), False

    def add(self, key, amount):
        if self.gone:
            raise RuntimeError("Connection reset by peer")
        with self.lock:
            self.counts[key] += amount
            return self.counts[key]


@pytest.fixture
def heard(monkeypatch):
    said = []
    monkeypatch.setattr(heartbeat, "on_lost", said.append)
    monkeypatch.setattr(heartbeat, "_SHORTEST", 0.01)
    return said


def wait_for(said) -> str:
    deadline = time.monotonic() + 60
    while not said and time.monotonic() < deadline:
        time.sleep(0.02)
    return said[0]


def test_a_process_that_falls_silent_is_named(heard):
    store = Counters()
    first, second = (Heartbeat(lambda: store, rank, 2, 0.5) for rank in (0, 1))
    first.start()
    second.start()
    time.sleep(1.0)
    assert heard == []
    second.stop()  # as one that is stopped by a signal
    assert wait_for(heard) == "process 1 of 2 has not answered for 0.5 s"
    assert store.counts[f"{KEY}0"] > 0


def test_one_that_never_came_is_named(heard):
    Heartbeat(Counters, 0, 3, 0.2).start()
    assert wait_for(heard).startswith("process 1 of 3")


def test_a_store_that_is_gone(heard):
    store = Counters()
    store.gone = True
    Heartbeat(lambda: store, 0, 1, 0.2).start()
    assert wait_for(heard).startswith("the place where the processes met")


def test_a_run_that_is_over_loses_nobody(heard):
    beat = Heartbeat(Counters, 0, 2, 0.2)
    beat.start()
    beat.stop()
    time.sleep(0.5)
    assert heard == []
