"""How commands end where memory runs out, a signal is lost, a checkpoint lies, or processes disagree."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
import zipfile
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

from edgectl.cli.app import explain, run
from edgectl.errors import ArtifactError, DataError, DependencyError, EdgectlError
from edgectl.runs.checkpoint import Checkpoint, require_plain, write_tensors
from edgectl.train.distributed.processes import Processes
from edgectl.workflows.training import run as training


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 1.31 TiB for an array"),
        np._core._exceptions._ArrayMemoryError((1 << 40,), np.dtype("f8")),
        RuntimeError("can't start new thread"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 9"
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=str,
)
def test_memory_is_one_line(error):
    message, fix, code, status = explain(error)
    assert (message, code, status) == ("not enough memory", "E-MEMORY", 1) and fix


def test_other_errors_are_not_taken_for_it():
    assert explain(EdgectlError("out of memory on the board"))[2] == "E-RUN"
    assert explain(ValueError("a bad value"))[2] == "E-INTERNAL"


def test_a_signal_inside_a_callback_of_c_ends_the_command():
    """Dropped there by the interpreter ("Exception ignored in"), it comes again."""
    program = textwrap.dedent(
        """
        import time, weakref
        from edgectl.cli.signals import interrupt_on_signals
        from edgectl.errors import Interruption
        interrupt_on_signals()
        class Thing: pass
        thing = Thing()
        def callback(_):
            raise Interruption
        kept = weakref.ref(thing, callback)
        try:
            del thing
            time.sleep(60)
        except Interruption:
            print("ended")
        """
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=False
    )
    assert ended.stdout == b"ended\n" and b"ignored" not in ended.stderr


class Full(io.BytesIO):
    def write(self, data):
        if self.tell() > 1000:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_under_torch_is_said_as_such():
    with pytest.raises(OSError, match="No space left"):
        write_tensors({"w": torch.zeros(10_000)}, Full())
    file = io.BytesIO()
    write_tensors({"w": torch.zeros(3)}, file)
    plain = io.BytesIO()
    torch.save({"w": torch.zeros(3)}, plain)
    assert file.getvalue() == plain.getvalue()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(100_000, 100_000),
        torch.zeros(3, device="meta"),
        torch.eye(3).to_sparse(),
        torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
        torch.zeros(4).as_strided((1 << 20, 1 << 20), (0, 0)),
    ],
    ids=["expanded", "meta", "sparse", "quantized", "strided"],
)
def test_a_tensor_that_is_no_array_is_refused_before_it_is_looked_at(tensor):
    with pytest.raises(ValueError, match="a tensor"):
        require_plain(tensor)


def test_a_checkpoint_that_unpacks_to_more_than_it_holds(tmp_path):
    plain = io.BytesIO()
    torch.save({"w": torch.zeros(4 << 20)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(tmp_path / "x.pt", "w", 8) as target:
        for item in source.infolist():
            target.writestr(item.filename, source.read(item), zipfile.ZIP_DEFLATED)
    with pytest.raises(ArtifactError, match="unpacks to more"):
        Checkpoint.load(tmp_path / "x.pt")


class Told(Processes):
    """The second process, and what the first says."""

    said: ClassVar[dict] = {}

    def broadcast(self, value):
        return {**value, **self.said}


@pytest.mark.parametrize(
    ("name", "other", "kind"),
    [
        ("images", {"train": "other"}, DataError),
        ("versions", {"torch": "0"}, DependencyError),
        ("configuration", {"train": {"epochs": 5}}, EdgectlError),
    ],
)
def test_processes_with_other_images_do_not_train_together(name, other, kind):
    config = SimpleNamespace(model_dump=lambda **_: {"data": {"name": "x"}, "train": {"epochs": 3}})
    setup = SimpleNamespace(config=config, data={"fingerprint": {"train": "a"}})
    second = Told(rank=1, world=2)
    training.require_same_setup(setup, second)
    second.said[name] = other
    try:
        with pytest.raises(kind, match=f"process 1 has other {name} than process 0"):
            training.require_same_setup(setup, second)
    finally:
        second.said.clear()


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"train/a\x00b", b"../" * 2000, b"", b"train/gone"]
)
def test_latest_may_hold_anything(tmp_path, monkeypatch, content, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").write_bytes(content)
    for words in (["eval"], ["report"], ["runs", "list"]):
        code = run([*words])
        assert code == 0 or "E-INTERNAL" not in capsys.readouterr().err
        assert code in (0, 2, 5)


def test_a_deep_project_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgectl.toml").write_text("a = " + "[" * 50_000)
    assert run(["train", "fomo"]) == 2
    assert "not TOML" in capsys.readouterr().err
