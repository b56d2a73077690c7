"""The backend's contract: prepare, write, describe, usage, and what the plugin registers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from edgectl_tflite import plugin
from edgectl_tflite.backend import TfliteBackend
from edgectl_tflite.config import TfliteConfig
from edgectl_tflite.runtimes.runtime import RUNTIMES
from pydantic import ValidationError

from edgectl.artifacts.manifest import Tensors
from edgectl.backends.contract import WriteRequest
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.testing.manifest import make_manifest

BACKEND = TfliteBackend()
SPEC = OutputSpec("cells", "cell_logits", 2, 3, "sigmoid")


def _graph(nets: SimpleNamespace) -> Any:
    net = nets.Net((16, 16))
    x = net.conv("input", 32, stride=(2, 2), padding=(0, 1, 0, 1), activation="relu6")
    x = net.depthwise(x, stride=(2, 2), padding=(0, 1, 0, 1), activation="relu6")
    return net.graph(net.conv(x, 3, (1, 1), padding=(0, 0, 0, 0)))


def _write(graph: Any, directory: Path, spec: OutputSpec, config: TfliteConfig, kind: str) -> Path:
    model, labels = BACKEND.write(
        WriteRequest(
            graph=graph,
            directory=directory,
            outputs=(spec,),
            preprocess=PreprocessSpec((16, 16)),
            classes=("mask", "no mask"),
            precision=kind,
            config=config,
        )
    )
    assert labels.read_text() == "mask\nno mask\n"
    return model


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_prepare_appends_the_activation(nets: SimpleNamespace, activation: Any) -> None:
    spec = OutputSpec("cells", "cell_logits", 2, 3, activation)
    graph, (applied,) = BACKEND.prepare(_graph(nets), [spec], TfliteConfig())
    assert applied.applied and graph[graph.outputs[0]].op == activation
    again, (same,) = BACKEND.prepare(graph, [applied], TfliteConfig())
    assert again.outputs == graph.outputs and same == applied


def test_prepare_can_leave_logits(nets: SimpleNamespace) -> None:
    before = _graph(nets)
    graph, (spec,) = BACKEND.prepare(before, [SPEC], TfliteConfig(append_activation="off"))
    assert graph.outputs == before.outputs and not spec.applied


def test_written_file_is_described_and_runs(
    nets: SimpleNamespace, tflm: None, tmp_path: Path
) -> None:
    graph, (spec,) = BACKEND.prepare(_graph(nets), [SPEC], TfliteConfig())
    images = nets.images_for(graph, 2)
    quantized = nets.quantize(graph, images)
    path = _write(quantized, tmp_path, spec, TfliteConfig(), "int8")
    facts = BACKEND.describe(path)
    assert facts["outputs"] == [
        {
            "name": "cells",
            "shape": [1, 4, 4, 3],
            "dtype": "int8",
            "scale": 1 / 256,
            "zero_point": -128,
        }
    ]
    assert facts["arena"]["total"] == facts["arena"]["activations"] + facts["arena"]["persistent"]
    assert facts["peak"]["moments"][0]["live_bytes"] == facts["peak"]["live_bytes"]
    open_ = {n: BACKEND.open(path, runtime=n, specs=[spec], preprocess=None) for n in RUNTIMES}
    assert open_["tflm"].arena_bytes == facts["arena"]["total"]
    assert (open_["tflm"](images)[0] == open_["integer"](images)[0]).all()


def test_split_changes_the_layout_only(nets: SimpleNamespace, tmp_path: Path) -> None:
    graph, (spec,) = BACKEND.prepare(_graph(nets), [SPEC], TfliteConfig())
    images = nets.images_for(graph, 2)
    quantized = nets.quantize(graph, images)
    outputs, peaks = [], []
    for split in ("auto", "off"):
        (tmp_path / split).mkdir()
        path = _write(quantized, tmp_path / split, spec, TfliteConfig(split=split), "int8")
        outputs.append(BACKEND.open(path, runtime="integer", specs=[spec], preprocess=None)(images))
        peaks.append(BACKEND.describe(path)["peak"]["live_bytes"])
    assert (outputs[0][0] == outputs[1][0]).all()
    assert peaks[0] < peaks[1]


def test_float_file(nets: SimpleNamespace, tmp_path: Path) -> None:
    graph, (spec,) = BACKEND.prepare(_graph(nets), [SPEC], TfliteConfig())
    images = nets.images_for(graph, 2)
    path = _write(graph, tmp_path, spec, TfliteConfig(), "fp32")
    (got,) = BACKEND.open(path, runtime="litert", specs=[spec], preprocess=None)(images)
    (want,) = graph.run(nets.lowered(images))
    np.testing.assert_allclose(got, want.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_usage_says_how_to_feed_and_read(
    nets: SimpleNamespace, tmp_path: Path, precision: str
) -> None:
    graph, (spec,) = BACKEND.prepare(_graph(nets), [SPEC], TfliteConfig())
    source = nets.quantize(graph, nets.images_for(graph, 2)) if precision == "int8" else graph
    path = _write(source, tmp_path, spec, TfliteConfig(), precision)
    text = BACKEND.usage(
        make_manifest(
            model=path.name,
            precision=precision,
            classes=("mask", "no mask"),
            preprocess=PreprocessSpec((16, 16)),
            outputs=(spec,),
            tensors=Tensors.from_description(BACKEND.describe(path)),
        )
    )
    assert "16 x 16" in text and "sigmoid, in the file" in text
    assert ("uint8 - 128" in text) == (precision == "int8")


def test_configuration_is_strict() -> None:
    with pytest.raises(ValidationError):
        TfliteConfig(split="maybe")  # type: ignore[arg-type]


def test_registration() -> None:
    (info,) = plugin.edgectl_register_backends()
    assert info.entry == "edgectl_tflite.backend:TfliteBackend"
    assert set(info.runtimes) == set(RUNTIMES) and set(info.exact) <= set(info.runtimes)
    boards = plugin.edgectl_register_boards()
    assert all(info.name in b.backends and b.ram_bytes > 0 for b in boards)
    assert len({b.name for b in boards}) == len(boards)


def test_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    litert, micro = plugin.edgectl_doctor_checks()
    assert litert.status == "missing" and litert.fix
    assert micro.status == "warning" and "[tflm]" in micro.fix


def test_registering_imports_nothing_heavy() -> None:
    program = (
        "import sys, edgectl_tflite.plugin as p; p.edgectl_register_backends();"
        "p.edgectl_register_boards(); p.edgectl_doctor_checks();"
        "heavy = {'torch', 'numpy', 'ai_edge_litert', 'tflite_micro'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


DETECTOR = [
    OutputSpec("cls_4", "class_logits", 4, 2, "sigmoid"),
    OutputSpec("box_4", "box_distances", 4, 4),
]


def _detector(nets: SimpleNamespace, size: tuple[int, int]) -> Any:
    net = nets.Net(size)
    x = net.conv("input", 8, stride=(2, 2), padding=(1, 1, 1, 1), activation="relu6")
    x = net.conv(x, 8, stride=(2, 2), padding=(1, 1, 1, 1), activation="relu6")
    heads = [net.conv(x, n, (1, 1), padding=(0, 0, 0, 0)) for n in (2, 4)]
    return net.graph(*heads)


def _detector_files(
    nets: SimpleNamespace, directory: Path, size: tuple[int, int] = (16, 24)
) -> tuple[dict[bool, Path], Any]:
    graph, specs = BACKEND.prepare(_detector(nets, size), DETECTOR, TfliteConfig())
    assert not any(s.applied for s in specs), "a detector's firmware applies its own sigmoid"
    images = nets.images_for(graph, 2)
    quantized = nets.quantize(graph, images)
    files = {}
    for rows in (True, False):
        target = directory / str(rows)
        target.mkdir()
        files[rows] = BACKEND.write(
            WriteRequest(
                graph=quantized,
                directory=target,
                outputs=specs,
                preprocess=PreprocessSpec(size),
                classes=("a", "b"),
                precision="int8",
                config=TfliteConfig(rows=rows),
            )
        )[0]
    return files, images


def test_detectors_write_a_row_a_cell(nets: SimpleNamespace, tflm: None, tmp_path: Path) -> None:
    files, _ = _detector_files(nets, tmp_path)
    shapes = {
        rows: [o["shape"] for o in BACKEND.describe(f)["outputs"]] for rows, f in files.items()
    }
    assert shapes[True] == [[1, 24, 2], [1, 24, 4]]
    assert shapes[False] == [[1, 4, 6, 2], [1, 4, 6, 4]]


@pytest.mark.parametrize("size", [(16, 24), (18, 22)])
@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_rows_are_read_back_as_grids(
    nets: SimpleNamespace, tflm: None, tmp_path: Path, runtime: str, size: tuple[int, int]
) -> None:
    """18 pixels at stride 4 are five cells: strided convolutions round up."""
    files, _ = _detector_files(nets, tmp_path, size)
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    rows, grids = (
        BACKEND.open(files[r], runtime=runtime, specs=DETECTOR, preprocess=None)(images)
        for r in (True, False)
    )
    for a, b in zip(rows, grids, strict=True):
        assert a.shape == b.shape
        assert a.shape[2:] == tuple(-(-n // 4) for n in size)
        assert np.array_equal(a, b)
