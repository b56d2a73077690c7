"""Both backends through the command line on a small drawn set: export, eval, QAT, damaged files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgectl.__main__ import run
from edgectl.artifacts.artifact import read_manifest
from edgectl.artifacts.manifest import Manifest
from edgectl.data.catalog.demo import draw_split

RUN = "runs/train/small"
Document = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a data set ``set`` and a run exported for both."""
    pytest.importorskip("edgectl_fomo", reason="a family is needed to train")
    root = tmp_path_factory.mktemp("project")
    for key, (split, count) in enumerate({"train": 24, "valid": 8}.items()):
        draw_split(root / "set" / split, count, (0, key))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OMP_NUM_THREADS", "1")
        words = ["--data", "set", "--imgsz", "64", "--epochs", "3", "--weights", "none"]
        extra = ["--name", "small", "--set", "data.holdout=0.2", "--set", "quant.max_drop=1.0"]
        assert run(["train", "fomo", *words, *extra]) == 0
        assert run(["export", "--backend", "ncnn", "--precision", "fp32"]) == 0
        assert run(["export", "--backend", "ncnn"]) == 0
        assert run(["export", "--backend", "awnn"]) == 0
    return root


@pytest.fixture
def document(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Document:
    monkeypatch.chdir(project)

    def invoke(*argv: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run([*argv, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return invoke


def _manifest(project: Path, name: str) -> Manifest:
    return read_manifest(project / RUN / "export" / name / "manifest.json")


@pytest.mark.parametrize(("name", "runtime"), [("ncnn-int8", "ncnn"), ("awnn-int8", "simulator")])
def test_parity_is_recorded(project: Path, name: str, runtime: str) -> None:
    manifest = _manifest(project, name)
    assert manifest.parity.graph.float_max_abs < 1e-3
    assert manifest.parity.runtimes[runtime].sqnr_db["cells"] > 12
    assert manifest.metrics.file.model.bytes == manifest.tensors.file_bytes


def test_float_file_is_the_network(project: Path) -> None:
    manifest = _manifest(project, "ncnn-fp32")
    assert manifest.parity.runtimes["ncnn"].sqnr_db["cells"] > 90
    assert manifest.gate.drop == 0


def test_what_falls_to_the_cpu_is_recorded(project: Path) -> None:
    """Beside what is remarked of the calibration images, which both were given alike."""
    remarks = {name: _manifest(project, f"{name}-int8").remarks for name in ("awnn", "ncnn")}
    falls = [r for r in remarks["awnn"] if "runs on the CPU" in r]
    assert len(falls) == 6
    assert set(remarks["ncnn"]) == set(remarks["awnn"]) - set(falls)


def test_every_part_counts(document: Document) -> None:
    """Size and digest are those of .param and .bin together."""
    code, report = document("eval", f"{RUN}/export/ncnn-int8", "--gate", "bytes<=9000")
    assert code == 4
    assert report["data"]["model"]["bytes"] > 9000
    other = document("eval", f"{RUN}/export/ncnn-fp32")[1]["data"]["model"]
    assert other["sha256"] != report["data"]["model"]["sha256"]


@pytest.mark.parametrize("backend", ["ncnn", "awnn"])
def test_qat(document: Document, backend: str) -> None:
    code, report = document("qat", RUN, "--backend", backend, "--epochs", "1")
    assert code == 0, report["error"]
    assert report["data"]["parity"]["graph"]["float_max_abs"] < 1e-3


def _damaged(project: Path, name: str, change: Callable[[Path], None]) -> str:
    """A copy of an artifact with one file changed and the manifest's digests made to fit."""
    copy = project / "damaged"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project / RUN / "export" / name, copy)
    change(copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    for f in manifest["files"]:
        content = (copy / f["path"]).read_bytes()
        f |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return "damaged"


def _edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("suffix", "change", "says"),
    [
        (".bin", lambda b: b[: len(b) // 2], "cut short"),
        (".bin", lambda b: b"\x12\x34\x56\x78" + b[4:], "storage type"),
        (".bin", lambda b: b + bytes(64), "left over"),
        (".param", lambda b: b.replace(b"\nSplit ", b"\nWonder "), "layer type 'Wonder'"),
        (".param", lambda b: b[: len(b) // 2], "not a layer|cut short"),
    ],
)
@pytest.mark.parametrize("name", ["ncnn-int8", "awnn-int8"])
def test_damaged_files_are_one_line_and_exit_5(
    project: Path,
    document: Document,
    name: str,
    suffix: str,
    change: Callable[[bytes], bytes],
    says: str,
) -> None:
    stem = "model" if name.startswith("ncnn") else "model_int8"
    model = _damaged(project, name, lambda d: _edit(d / (stem + suffix), change))
    code, report = document("eval", model, "--data", "set")
    assert code == 5
    message = report["error"]["message"]
    assert "\n" not in message and any(s in message for s in says.split("|"))
