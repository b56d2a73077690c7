"""Opening files: order of outputs, units, and what is refused with which remedy."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from edgectl_tflite.backend import TfliteBackend
from edgectl_tflite.reader.modelfile import load_schema, parse_model, read_model
from edgectl_tflite.runtimes.runtime import RUNTIMES, IntegerRunner, LiteRtRunner, TflmRunner
from edgectl_tflite.runtimes.tflm import MicroInterpreter, first_arena
from edgectl_tflite.writer.builder import ModelBuilder

from edgectl.errors import (
    ArtifactError,
    BackendUnavailableError,
    UnknownNameError,
    UnsupportedOpError,
)
from edgectl.spec import OutputSpec


def _two_heads(nets: SimpleNamespace) -> tuple[Any, np.ndarray]:
    net = nets.Net((8, 12))
    x = net.conv("input", 8, activation="relu6")
    graph = net.graph(
        net.conv(x, 2), net.linear(net.op("reshape", net.op("mean", x), shape=(1, 8)), 5)
    )
    images = nets.images_for(graph, 4)
    return nets.write(nets.quantize(graph, images)), images


SPECS = (
    OutputSpec("out1", "class_logits", 0, 5),
    OutputSpec("out0", "cell_logits", 1, 2),
)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_outputs_in_spec_order(nets: SimpleNamespace, tflm: None, runtime: str) -> None:
    model, images = _two_heads(nets)
    classes, cells = RUNTIMES[runtime](model, SPECS)(images)
    assert classes.shape == (4, 5) and cells.shape == (4, 2, 8, 12)
    assert classes.dtype == cells.dtype == np.float32


def test_runtimes_agree(nets: SimpleNamespace, tflm: None) -> None:
    model, images = _two_heads(nets)
    raw = {name: RUNTIMES[name](model, SPECS).raw(images) for name in RUNTIMES}
    for a, b in zip(raw["tflm"], raw["integer"], strict=True):
        assert (a == b).all()
    for name in ("litert", "litert-ref"):
        for a, b in zip(raw["tflm"], raw[name], strict=True):
            assert np.abs(a.astype(int) - b).max() <= 1, name


@pytest.mark.parametrize("size", [96, 192])
def test_fomo_every_byte(nets: SimpleNamespace, tflm: None, size: int) -> None:
    graph = nets.fomo(size)
    images = nets.images_for(graph, 4)
    assert nets.differing_bytes(nets.write(nets.quantize(graph, images)), images) == 0


def test_dequantized_values_are_near_the_graph(nets: SimpleNamespace) -> None:
    net = nets.Net((8, 8))
    net.conv("input", 4)
    graph = net.graph()
    images = nets.images_for(graph, 3)
    quantized = nets.quantize(graph, images)
    (got,) = IntegerRunner(nets.write(quantized))(images)
    (want,) = graph.run(nets.lowered(images))
    step = quantized.activations[graph.outputs[0]].scale
    assert np.abs(got - want.detach().numpy()).max() < 3 * step


def test_without_the_interpreter(nets: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = _two_heads(nets)
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(BackendUnavailableError) as e:
        TflmRunner(model)
    assert e.value.fix == "pip install 'edgectl-tflite[tflm]'"


def test_constants_behind_the_flatbuffer(nets: SimpleNamespace, tflm: None, tmp_path: Path) -> None:
    """LiteRT and the executor read them; the micro interpreter would compute garbage."""
    import flatbuffers

    model, images = _two_heads(nets)
    schema = load_schema()
    tree = schema.ModelT.InitFromPackedBuf(model.data, 0)
    moved = next(b for b in tree.buffers if b.data is not None and len(b.data) > 100)
    contents = bytes(moved.data)

    def packed(offset: int) -> bytes:
        moved.data, moved.offset, moved.size = None, offset, len(contents)
        builder = flatbuffers.Builder(1024)
        builder.Finish(tree.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    offset = -(-len(packed(1 << 20)) // 16) * 16
    path = tmp_path / "external.tflite"
    path.write_bytes(packed(offset).ljust(offset, b"\0") + contents)
    external = read_model(path)
    assert external.external_buffers
    with pytest.raises(ArtifactError, match="garbage"):
        TflmRunner(external)
    for a, b in zip(
        IntegerRunner(external).raw(images), IntegerRunner(model).raw(images), strict=True
    ):
        assert (a == b).all()
    assert TfliteBackend().describe(path)["arena"] is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"\x89PNG\r\n\x1a\n" + data,
        lambda data: data[: len(data) // 2],
        lambda data: data[:64],
        lambda data: data[:8] + bytes(len(data) - 8),
        lambda data: data[:40] + b"\xff" * 200 + data[240:],
    ],
    ids=["empty", "image", "half", "head", "zeros", "overwritten"],
)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_damaged_files(
    nets: SimpleNamespace, tflm: None, tmp_path: Path, damage: Any, runtime: str
) -> None:
    model, _ = _two_heads(nets)
    path = tmp_path / "model.tflite"
    path.write_bytes(damage(model.data))
    with pytest.raises(ArtifactError) as e:
        TfliteBackend().open(path, runtime=runtime, specs=(), preprocess=None)
    assert str(path) in str(e.value)


def test_missing_file_and_unknown_runtime(tmp_path: Path) -> None:
    backend = TfliteBackend()
    with pytest.raises(ArtifactError, match="cannot be read"):
        backend.describe(tmp_path / "absent.tflite")
    with pytest.raises(UnknownNameError) as e:
        backend.open(tmp_path / "x", runtime="litter", specs=(), preprocess=None)
    assert e.value.fix is not None and "litert" in e.value.fix


def test_wrong_images_and_wrong_manifest(nets: SimpleNamespace) -> None:
    model, images = _two_heads(nets)
    with pytest.raises(ArtifactError, match="the file takes"):
        LiteRtRunner(model)(images[:, :4])
    with pytest.raises(ArtifactError, match="the manifest names 1"):
        LiteRtRunner(model, SPECS[:1])


def test_ops_without_a_kernel_are_named(tflm: None) -> None:
    builder = ModelBuilder("test")
    shape = (1, 4, 4, 3)
    x, y = (builder.tensor(n, shape, "int8", scales=[0.1], zero_points=[0]) for n in "xy")
    builder.operation("SEGMENT_SUM", 1, [x], y, "SegmentSumOptions")
    model = parse_model(builder.finish({"x": x}, {"y": y}))
    with pytest.raises(UnsupportedOpError, match="SEGMENT_SUM"):
        IntegerRunner(model)
    with pytest.raises(UnsupportedOpError, match="SEGMENT_SUM"):
        TflmRunner(model)


@pytest.mark.parametrize(("layers", "width"), [(1, 8), (6, 1280), (40, 64)])
def test_the_first_arena_is_large_enough(
    nets: SimpleNamespace, tflm: None, layers: int, width: int
) -> None:
    """Also where bookkeeping outweighs activations: the interpreter may report a lack of memory by
    crashing."""
    net = nets.Net((1, 1))
    x = "input"
    for _ in range(layers):
        x = net.conv(x, width, (1, 1), padding=(0, 0, 0, 0))
    graph = net.graph(x)
    model = nets.write(nets.quantize(graph, nets.images_for(graph, 1)))
    assert first_arena(model) >= MicroInterpreter(model).arena().total
