"""The same checkpoint gives the same files, whenever and wherever it is exported."""

from __future__ import annotations

import datetime
import os
import shutil
import time

import pytest

from edgectl.cli.app import run
from edgectl.files import sha256_of
from edgectl.testing.line import project_in

RUN = "runs/train/kit-001"


@pytest.mark.parametrize("backend", ["tflite", pytest.param("c", marks=pytest.mark.slow)])
def test_export_on_another_day_in_another_place(tmp_path, monkeypatch, edgectl_kit_family, backend):
    first = tmp_path / "one"
    first.mkdir()
    digests = []
    with project_in(first) as made:
        made.train(edgectl_kit_family, "detection", 32)
        second = tmp_path / "zwei drei é"
        shutil.copytree(first, second)
        for place, days in ((first, 0), (second, 400)):
            monkeypatch.chdir(place)
            monkeypatch.setenv("EDGECTL_CACHE", str(place / "cache"))
            shift_clock(monkeypatch, days)
            assert run(["export", RUN, "--backend", backend, "--calib-images", "3"]) == 0
            artifact = place / RUN / "export" / f"{backend}-int8"
            skipped = {"manifest.json"}  # it holds how long things took
            files = [p for p in sorted(artifact.rglob("*")) if p.is_file()]
            digests.append({p.name: sha256_of(p) for p in files if p.name not in skipped})
    assert digests[0] == digests[1] and len(digests[0]) > 2


def shift_clock(monkeypatch, days: int) -> None:
    """The clock, and the time zone with it."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400 * days)
    monkeypatch.setenv("TZ", "Pacific/Auckland" if days else "UTC")
    time.tzset()
    assert days == 0 or datetime.datetime.fromtimestamp(time.time()).year != 1970
    assert os.environ["TZ"]
