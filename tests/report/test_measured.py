"""The page of a run whose model is run again."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edgectl
from edgectl.metrics.matches import ImageMatches, trace_curve
from edgectl.report.documents import read_documents
from edgectl.report.evidence import Evidence
from edgectl.report.measured import describe_curves


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as m:
        m.chdir(tmp_path_factory.mktemp("project"))
        options = {"imgsz": 64, "epochs": 1, "weights": "none", "device": "cpu"}
        return Path(edgectl.train("fomo", data="demo_mask", **options).path).resolve()


class Outside(HTMLParser):
    """What a page would fetch or run, and images nobody described."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        link = values.get("src") or values.get("href") or ""
        if tag in ("script", "link", "iframe") or (link and not link.startswith("data:")):
            self.found.append(f"{tag} {link}")
        if tag == "img" and not values.get("alt"):
            self.found.append("img without alt")


def test_images_curves_and_classes(run: Path) -> None:
    page = edgectl.report(run)
    text = page.path.read_text("utf-8")
    assert page.bytes < 3_000_000
    for title in (
        "What it finds",
        "Class by class",
        "Training",
        "Data",
        "Do it again",
    ):
        assert f"<h2>{title}</h2>" in text
    assert text.count("data:image/jpeg;base64,") >= 6
    outside = Outside()
    outside.feed(text)
    assert outside.found == []
    assert "edgectl train" in text or "Configuration" in text


def test_curves_show_the_operating_point_and_the_other_run() -> None:
    matches = ImageMatches(
        np.array([0.9, 0.7, 0.4]),
        np.zeros(3, int),
        np.array([0, -1, 1]),
        np.ones(3, bool),
        np.zeros(2, int),
    )
    curve = trace_curve([matches])
    evidence = Evidence("valid", "", {}, 0.7, [], curve, None, True)
    held = SimpleNamespace(threshold=0.7)
    target: Any = SimpleNamespace(task="centroid", require_postprocess=lambda: held)
    recall, f1 = describe_curves(target, evidence, ("other-002", evidence))["curves"]
    assert "operating point, score 0.70" in recall["svg"]
    assert "F1 0.500" in f1["svg"]  # one of two found, one of two right
    assert recall["svg"].count("<polyline") == 2
    assert "other-002" in recall["svg"]


def test_data_that_are_gone_are_said_and_no_error(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "edgectl.workflows.report.data_for",
        lambda *a, **k: (_ for _ in ()).throw(edgectl.errors.DataError("the set <has> moved")),
    )
    text = edgectl.report(run, out=tmp_path / "page.html").path.read_text("utf-8")
    assert "No images: the set &lt;has&gt; moved" in text
    assert "<h2>Training</h2>" in text


def test_two_runs_side_by_side(run: Path, tmp_path: Path) -> None:
    text = edgectl.report(run, run, out=tmp_path / "two.html").path.read_text("utf-8")
    section = text[text.index("<h2>Against") :]
    assert re.search(r"f1 differs by \+0\.0000, 95% interval \+0\.0000 to \+0\.0000", section)
    assert "Both were configured alike" in section
    assert read_documents(run).main_metric == "f1"
