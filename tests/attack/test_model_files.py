"""Damaged model files of every format: one line and an exit code, never a crash."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from edgectl.backends.foreign import require_survivable_parse
from edgectl.cli.app import run
from edgectl.errors import ArtifactError
from edgectl.testing.line import project_in

RUN = "runs/train/kit-001"
FORMATS = {
    "tflite": ("tflite", "int8", ".tflite"),
    "tflite fp32": ("tflite", "fp32", ".tflite"),
    "ncnn": ("ncnn", "int8", ".param"),
    "ncnn weights": ("ncnn", "fp32", ".bin"),
    "onnx": ("onnx", "fp32", ".onnx"),
}
_BATCH = 10


@pytest.fixture(scope="module")
def project(tmp_path_factory, edgectl_kit_family):
    """A run with an artifact of each format."""
    root = tmp_path_factory.mktemp("files") / "project"
    root.mkdir()
    with project_in(root) as made:
        made.train(edgectl_kit_family, "detection", 32)
        for backend, precision in sorted({f[:2] for f in FORMATS.values()}):
            words = ["export", RUN, "--backend", backend, "--precision", precision]
            assert run([*words, "--calib-images", "3"]) == 0
        yield root


@pytest.mark.parametrize("end", ["SIGSEGV", "SIGBUS", "SIGABRT", "SIGKILL"])
def test_a_parser_that_crashes_is_one_line(tmp_path, end):
    file = tmp_path / "x"
    file.write_text(end)
    code = "import os, signal, sys\nos.kill(os.getpid(), getattr(signal, open(sys.argv[1]).read()))"
    with pytest.raises(ArtifactError, match=f"toy ends with {end}") as caught:
        require_survivable_parse(code, [file], "toy")
    assert caught.value.exit_code == 5
    require_survivable_parse("raise ValueError", [file], "toy")
    require_survivable_parse("pass", [tmp_path / "gone"], "toy")


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes flipped, numbers replaced by large ones, cut, doubled."""
    kind, at = rng.integers(0, 5), int(rng.integers(0, len(data)))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at : at + 64] + data[at:]
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        at = int(rng.integers(0, len(data)))
        if kind == 2:
            changed[at] = int(rng.integers(0, 256))
        else:
            number = int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**16, 99_999_999]))
            width = b"%d" % number if kind == 3 else number.to_bytes(4, "little")
            changed[at : at + len(width)] = width
    return bytes(changed)


def survive(project: Path, tmp_path: Path, name: str, count: int) -> None:
    backend, precision, suffix = FORMATS[name]
    artifact = project / RUN / "export" / f"{backend}-{precision}"
    (source,) = artifact.glob(f"*{suffix}")
    rng = np.random.default_rng(len(name))
    for first in range(0, count, _BATCH):
        files = []
        for i in range(first, min(first + _BATCH, count)):
            place = tmp_path / f"{name} {i}"
            place.mkdir()
            for other in artifact.glob(f"{source.stem}.*"):
                (place / other.name).write_bytes(other.read_bytes())
            (place / source.name).write_bytes(damage(source.read_bytes(), rng))
            named = place / source.with_suffix({".bin": ".param"}.get(suffix, suffix)).name
            files.append(named)
        require_no_crash(files, tmp_path / "said")


def require_no_crash(files: list[Path], said: Path) -> None:
    """Profiles them in a fork, which says each one's exit code."""
    child = os.fork()
    if not child:
        with said.open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            for file in files:
                log.write(
                    json.dumps([str(file), run(["profile", str(file), "--imgsz", "32"])]) + "\n"
                )
                log.flush()
            os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = said.read_text(errors="replace")
    assert status == 0, text[-500:]
    codes = [json.loads(t)[1] for t in text.splitlines() if t.startswith('["')]
    assert len(codes) == len(files) and set(codes) <= {0, 1, 2, 5}, codes
    for phrase in ("Traceback", "--debug"):
        assert phrase not in text, text[-1500:]


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_many_damaged_files(project, tmp_path, name, record_property):
    record_property("tried", 420)
    survive(project, tmp_path, name, 420)
