"""Killed or out of disk at every file operation, a name is the old whole or the new whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from edgectl import files, leftovers, owners
from edgectl.errors import EdgectlError
from edgectl.files import find_artifacts, replacing, replacing_file, staged, write_text
from edgectl.leftovers import find_leftovers, name_aside, sweep

PROGRAM = textwrap.dedent(
    """
    # argv: what to write, where, the number of the file operation to fail at, and how
    import errno, os, signal, sys
    from pathlib import Path
    from edgectl.files import replacing, staged, write_text

    kind, target, number, how = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    seen = 0
    EVENTS = {"open", "os.rename", "os.mkdir"}
    if how == "kill":  # to remove needs no room
        EVENTS |= {"os.remove", "os.rmdir", "shutil.rmtree"}

    def watch(event, args):
        global seen
        if event not in EVENTS:
            return
        if event == "open" and not str(args[0]).startswith(str(target.parent)):
            return
        seen += 1
        if seen == number:
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, "No space left on device")

    sys.addaudithook(watch)
    try:
        if kind == "replacing":
            with replacing(target, "artifact") as place:
                (place / "model.bin").write_bytes(b"new" * 1000)
                (place / "more").mkdir()
                (place / "more" / "manifest.json").write_text("new")
        elif kind == "staged":
            with staged(target) as place:
                (place / "a.txt").write_text("new")
                (place / "b.txt").write_text("new")
        else:
            write_text(target, "new" * 1000)
    except Exception as e:
        sys.exit(9 if type(e).__module__ == "edgectl.errors" else repr(e))
    sys.exit(0 if number > seen else 8)
    """
)


def contents(path: Path):
    """Name -> bytes below a directory, or a file's own; None where there is nothing."""
    if path.is_file():
        return path.read_bytes()
    if not path.exists():
        return None
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def write_old(kind: str, target: Path) -> None:
    if kind == "replacing":
        with replacing(target, "artifact") as place:
            (place / "model.bin").write_bytes(b"old")
    elif kind == "file":
        target.write_text("old")


def fail_at(kind: str, target: Path, number: int, how: str, program: Path) -> int:
    program.write_text(PROGRAM)
    words = [sys.executable, str(program), kind, str(target), str(number), how]
    return subprocess.run(words, capture_output=True, check=False, timeout=60).returncode


@pytest.mark.parametrize("how", ["kill", "full"])
@pytest.mark.parametrize("kind", ["replacing", "staged", "file"])
def test_every_point_of_failure_leaves_the_old_or_the_new(tmp_path, kind, how):
    for number in range(1, 40):
        place = tmp_path / str(number)
        place.mkdir()
        target = place / "target"
        write_old(kind, target)
        old = contents(target)
        code = fail_at(kind, target, number, how, tmp_path / "program.py")
        if code == 0:
            break
        # 8: what failed was no part of the writing, a look for leftovers for example
        assert code in ((-9,) if how == "kill" else (8, 9)), code
        now = contents(target)
        whole = now == old or (now is not None and b"old" not in repr(now).encode())
        assert whole, f"neither old nor new after operation {number}"
        if kind != "file":
            assert find_artifacts(place, "*") in ([], [target])
        if code == 9:
            assert now == old
        # the next command works, and leaves nothing of the dead one behind
        leftovers._swept.clear()
        if kind == "staged" and now is not None:
            continue
        write_text(target, "next") if kind == "file" else _write_next(kind, target)
        assert [p.name for p in place.iterdir()] == ["target"]
    else:
        pytest.fail("more file operations than expected")
    assert number > (3 if kind == "file" else 6)


def _write_next(kind: str, target: Path) -> None:
    with replacing(target, "artifact") if kind == "replacing" else staged(target) as place:
        (place / "next").write_text("next")


def test_a_directory_is_there_at_every_moment_of_its_replacement(tmp_path):
    target = tmp_path / "target"
    write_old("replacing", target)
    if not files._exchange_names(_made(tmp_path / "a"), _made(tmp_path / "b")):
        pytest.skip("this file system cannot exchange names")
    missing, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            if not target.is_dir():
                missing.append(1)

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(20):
        write_old("replacing", target)
    done.set()
    watcher.join()
    assert not missing


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def dead_process() -> tuple[int, int]:
    """Number and start of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = owners.read_start(child.pid)
    child.communicate(b"\n")
    return child.pid, start


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path):
    pid, start = dead_process()
    dead = tmp_path / f".model.edgectl-{pid}-{start}-0123456789ab"
    dead.mkdir()
    (dead / "manifest.json").write_text("{}")
    again = tmp_path / f".model.edgectl-{os.getpid()}-1-0123456789ab"  # our number, another's start
    again.write_text("")
    living = name_aside(tmp_path / "model")
    living.mkdir()
    other = tmp_path / ".model.edgectl-notes"
    other.write_text("the user's own")
    assert set(find_leftovers(tmp_path)) == {dead, again}
    sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {living.name, other.name}


def test_an_old_directory_comes_back_when_its_successor_never_came(tmp_path):
    pid, start = dead_process()
    moved = tmp_path / f".model.edgectl-{pid}-{start}-old"
    moved.mkdir()
    (moved / "model.bin").write_bytes(b"old")
    sweep(tmp_path)
    assert contents(tmp_path / "model") == {"model.bin": b"old"}


def test_what_is_being_written_is_no_artifact(tmp_path):
    target = tmp_path / "export" / "toy-int8"
    with replacing(target, "artifact") as place:
        (place / "manifest.json").write_text(json.dumps({}))
        assert find_artifacts(tmp_path) == []
    assert find_artifacts(tmp_path) == [target]


def test_without_an_exchange_two_renames_do(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_exchange_names", lambda a, b: False)
    target = tmp_path / "target"
    for _ in range(2):
        write_old("replacing", target)
    assert [p.name for p in tmp_path.iterdir()] == ["target"]


def test_a_directory_that_cannot_be_written_is_one_error(tmp_path):
    with (
        pytest.raises(EdgectlError, match="cannot write"),
        replacing_file(tmp_path / "no" / "file"),
    ):
        pass
