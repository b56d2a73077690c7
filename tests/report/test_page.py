"""The page about a run, from the documents beside it."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path
from typing import Any

import pytest

from edgectl.artifacts.artifact import write_manifest
from edgectl.errors import ArtifactError, EdgectlError, UsageError
from edgectl.report.page import write_report
from edgectl.spec import OutputSpec
from edgectl.testing.manifest import make_manifest

MANIFEST = make_manifest(
    backend="tflite",
    family="rtmdet",
    variant="nano",
    task="detection",
    outputs=(OutputSpec("boxes", "box_distances", 8, 4),),
    model="model.tflite",
)


def report(found: list[int]) -> dict[str, Any]:
    limits = [0.0, 8.0, 16.0, 32.0, None]
    rows = [
        {"from": low, "below": high, "objects": 10, "found": n}
        for low, high, n in zip(limits[:-1], limits[1:], found, strict=True)
    ]
    errors = {"by_size": rows, "false_alarms": 7}
    model = {"path": "x", "kind": "checkpoint", "backend": None, "precision": "fp32"}
    return {
        "task": "detection",
        "model": {**model, "sha256": "0" * 64, "bytes": 1},
        "dataset": {"name": "d", "split": "valid", "images": 1, "fingerprint": "ab"},
        "metrics": {"AP": 0.5, "errors": errors},
    }


def page(tmp_path: Path, metrics: dict[str, Any] | None) -> str:
    run = tmp_path / "run"
    artifact = run / "export" / "tflite-int8"
    artifact.mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps({"family": "rtmdet"}))
    (artifact / "model.tflite").write_bytes(b"x")
    written = write_manifest(artifact, MANIFEST).manifest.to_dict()
    (artifact / "manifest.json").write_text(json.dumps({**written, "metrics": metrics}))
    return write_report(run).read_text()


def test_objects_found_by_every_hop(tmp_path: Path) -> None:
    text = page(tmp_path, {"float": report([0, 5, 9, 10]), "file": report([0, 2, 9, 10])})
    table = text[text.index("Objects found") :]
    table = table[: table.index("</table>")]
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", table)
    assert cells[:4] == ["longer side", "objects", "float checkpoint", "tflite int8 (ptq)"]
    assert cells[8:12] == ["8 to 16 px", "10", "5", "2"]
    assert cells[-4:] == ["boxes on nothing", "", "7", "7"]


def test_tasks_without_boxes_have_no_such_table(tmp_path: Path) -> None:
    assert "Objects found" not in page(tmp_path, None)


def test_a_manifest_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"'metrics\.file'"):
        page(tmp_path, {"float": report([0, 0, 0, 0])})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "metrics.json").write_text(json.dumps({"family": "rtmdet"}))
    return tmp_path


def test_only_a_report_is_replaced(run: Path) -> None:
    assert write_report(run) == write_report(run)
    (run / "report.html").write_text("<html>notes of mine</html>")
    for out in (run / "metrics.json", run, None):
        with pytest.raises(UsageError, match="no report"):
            write_report(run, out)
    assert json.loads((run / "metrics.json").read_text()) == {"family": "rtmdet"}


def test_a_full_disk_leaves_the_old_report_and_nothing_else(run: Path) -> None:
    old = write_report(run).read_text()
    (run / "config.resolved.toml").write_text("epochs = 3")
    before = sorted(run.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(EdgectlError, match="cannot write: File too large") as e:
            write_report(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert e.value.fix
    assert (run / "report.html").read_text() == old
    assert sorted(run.iterdir()) == before
