"""Who comes second is told who came first; the locks of the dead are nobody's."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest

from edgectl import locks
from edgectl.cli.app import run
from edgectl.files import replacing, require_replaceable
from edgectl.leftovers import _swept, find_leftovers, sweep
from edgectl.locks import BusyError, hold, lock_of, read_holder, require_unlocked
from edgectl.runs.rundir import create_run, hold_run


def in_child(work) -> int:
    """Number of a fork that did the work and then waits; it never returns here."""
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            with work():
                os.write(tell, b"x")
                signal.pause()
        finally:
            os._exit(1)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    os.close(tell)
    return child


def end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_the_second_is_told_who_holds_it(tmp_path):
    target = tmp_path / "fomo-001"
    child = in_child(lambda: hold(target, "is being trained"))
    try:
        for ask in (require_unlocked, lambda t, w: hold(t, w).__enter__()):
            with pytest.raises(BusyError, match=rf"is being trained by process {child} on ") as e:
                ask(target, "is being trained")
            assert socket.gethostname() in str(e.value)
            assert e.value.exit_code == 1
    finally:
        end(child)
    # what a killed process held is free, and its file goes
    assert read_holder(lock_of(target)).pid == child
    assert list(find_leftovers(tmp_path)) == [lock_of(target)]
    with hold(target, "is being trained"):
        assert read_holder(lock_of(target)).pid == os.getpid()
        assert list(find_leftovers(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_two_exports_to_one_directory_do_not_meet(tmp_path):
    target = tmp_path / "export" / "toy-int8"
    child = in_child(lambda: replacing(target, "artifact"))
    try:
        with (
            pytest.raises(BusyError, match="is being made by process"),
            replacing(target, "artifact"),
        ):
            pytest.fail("both make it")
    finally:
        end(child)
    with replacing(target, "artifact") as place:
        (place / "model.bin").write_bytes(b"new")
    require_replaceable(target, "artifact")
    assert [p.name for p in target.parent.iterdir()] == ["toy-int8"]


def test_sweep_takes_locks_of_the_dead_and_leaves_those_of_the_living(tmp_path):
    dead, living = tmp_path / "dead", tmp_path / "living"
    end(in_child(lambda: hold(dead, "is being made")))
    child = in_child(lambda: hold(living, "is being made"))
    try:
        _swept.clear()
        sweep(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == [lock_of(living).name]
    finally:
        end(child)


@pytest.mark.parametrize("start, host, free", [(0, "", True), (None, "", False), (0, "x", False)])
def test_without_locks_of_the_kernel_the_file_decides(tmp_path, monkeypatch, start, host, free):
    monkeypatch.setattr(locks, "fcntl", None)
    target = tmp_path / "run"
    own = locks.own_start() if start is None else start
    document = {"pid": os.getpid(), "start": own, "host": host or socket.gethostname(), "since": ""}
    lock_of(target).write_text(json.dumps(document))
    if free:
        require_unlocked(target, "is being trained")
    else:
        with pytest.raises(BusyError):
            require_unlocked(target, "is being trained")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"pid": "x"}', "[" * 9000])
def test_a_lock_file_may_hold_anything(tmp_path, text):
    lock_of(tmp_path / "run").write_text(text)
    with hold(tmp_path / "run", "is being trained"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["train", "--resume"], ["qat", "--resume"]])
def test_a_run_in_training_is_not_resumed_a_second_time(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    first = create_run("fomo", root=tmp_path / "runs")
    child = in_child(lambda: hold_run(first))
    try:
        assert run([*words, "runs/latest"]) == 1
        assert f"is being trained by process {child} on " in capsys.readouterr().err
    finally:
        end(child)
    assert run([*words, "runs/latest"]) == 2  # it never had a checkpoint
