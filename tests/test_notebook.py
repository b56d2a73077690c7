"""The notebook in examples/ runs from top to bottom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "the-line.ipynb"


@pytest.mark.slow
def test_the_line_runs_in_a_notebook(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="pip install 'edgectl[dev]'")
    nbclient = pytest.importorskip("nbclient", reason="pip install 'edgectl[dev]'")
    pytest.importorskip("edgectl_fomo")
    pytest.importorskip("edgectl_tflite")
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute(env={**os.environ})
    outputs = [c["outputs"] for c in notebook.cells if c["cell_type"] == "code"]
    scores = next(o for o in outputs if o and "precision" in str(o[-1].get("data", "")))
    figures = eval(scores[-1]["data"]["text/plain"], {"__builtins__": {}})  # a dict of numbers
    assert figures["f1"] > 0.5
    assert list((tmp_path / "runs" / "train").glob("fomo-*/export/tflite-int8/model.tflite"))
