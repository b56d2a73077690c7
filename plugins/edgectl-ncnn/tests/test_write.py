"""Float files: equal to the network on the ncnn runtime, and to what pnnx writes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from edgectl_ncnn.reader.modelfile import read_model, write_model
from edgectl_ncnn.runtimes.runtime import NcnnRunner
from edgectl_ncnn.writer.write import build_model
from torch import Tensor, nn

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.spec import OutputSpec, PreprocessSpec

SIZE = 64
NETS = ["SmallResNet", "SmallFomo", "SmallDetector"]


def _made(nets: SimpleNamespace, name: str) -> tuple[nn.Module, Tensor]:
    x = nets.images(4, SIZE).float() / 127.5 - 1.0
    return nets.settled(getattr(nets, name)(), x), x


def _outputs(model: nn.Module, x: Tensor) -> list[np.ndarray]:
    with torch.no_grad():
        y = model(x)
    return [t.numpy() for t in (y if isinstance(y, tuple) else (y,))]


def _run(param: Path, x: Tensor) -> list[np.ndarray]:
    runner = NcnnRunner(param)
    return [np.stack(p) for p in zip(*(runner.run(v) for v in x.numpy()), strict=True)]


@pytest.mark.parametrize("name", NETS)
def test_float_file_computes_the_network(nets: SimpleNamespace, tmp_path: Path, name: str) -> None:
    model, x = _made(nets, name)
    wanted = _outputs(model, x)
    graph = trace(model, (SIZE, SIZE))
    path, _ = write_model(
        build_model(graph, [f"o{i}" for i in range(len(wanted))]), tmp_path / "m.param"
    )
    for got, want in zip(_run(path, x), wanted, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=1e-4 * max(1.0, np.abs(want).max()))
    assert read_model(path).param_text() == path.read_text()


@pytest.mark.parametrize("name", NETS)
def test_float_file_equals_pnnx(nets: SimpleNamespace, tmp_path: Path, name: str) -> None:
    pnnx = pytest.importorskip("pnnx", reason="pnnx is an extra")
    model, x = _made(nets, name)
    torch.jit.trace(model, x[:1]).save(str(tmp_path / "net.pt"))
    subprocess.run(
        [pnnx.EXEC_PATH, "net.pt", f"inputshape=[1,3,{SIZE},{SIZE}]", "fp16=0"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    theirs = _run(tmp_path / "net.ncnn.param", x)
    outputs = read_model(tmp_path / "net.ncnn.param").outputs
    path, _ = write_model(build_model(trace(model, (SIZE, SIZE)), outputs), tmp_path / "ours.param")
    for got, want in zip(_run(path, x), theirs, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-4)


def test_half_precision_halves_the_file(nets: SimpleNamespace, tmp_path: Path) -> None:
    model, x = _made(nets, "SmallResNet")
    graph = trace(model, (SIZE, SIZE))
    (want,) = _outputs(model, x)
    sizes = []
    for half in (False, True):
        path, weights = write_model(
            build_model(graph, ["y"], half=half), tmp_path / f"{half}.param"
        )
        sizes.append(weights.stat().st_size)
        (got,) = _run(path, x)
        np.testing.assert_allclose(got, want, atol=5e-3 if half else 1e-4)
    assert sizes[1] < 0.55 * sizes[0]


def test_weights_beyond_half_precision_are_refused(nets: SimpleNamespace) -> None:
    graph = trace(_made(nets, "SmallFomo")[0], (SIZE, SIZE))
    node = next(n for n in graph if n.weight is not None)
    node.weight[0] = 1e5
    with pytest.raises(ArtifactError, match="fp16"):
        build_model(graph, ["y"], half=True)


def test_an_output_that_is_read_inside_and_named_twice(tmp_path: Path) -> None:
    nodes = [
        Node("x", "input", (), (1, 2, 4, 4)),
        Node("s", "sigmoid", ("x",), (1, 2, 4, 4)),
        Node("t", "add", ("s", "x"), (1, 2, 4, 4), activation="relu6"),
    ]
    path, _ = write_model(
        build_model(QuantGraph(nodes, ["s", "t", "s"]), ["a", "b", "c"]), tmp_path / "m.param"
    )
    x = torch.randn(1, 2, 4, 4) * 4
    runner = NcnnRunner(path, [OutputSpec(n, "x", 1, 2) for n in "abc"])
    a, b, c = runner.run(x[0].numpy())
    np.testing.assert_allclose(a, torch.sigmoid(x)[0], atol=1e-6)
    np.testing.assert_allclose(b, (torch.sigmoid(x) + x).clamp(0, 6)[0], atol=1e-6)
    assert (a == c).all()


def test_lowered_preprocessing_is_the_spec(tmp_path: Path) -> None:
    """mean and norm as ncnn's own substract_mean_normalize takes them, and as our runner does."""
    ncnn = pytest.importorskip("ncnn")
    spec = PreprocessSpec((4, 5), mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
    graph = QuantGraph(
        [
            Node("x", "input", (), (1, 3, 4, 5)),
            Node("y", "max_pool", ("x",), (1, 3, 4, 5),
                 {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0, 0, 0)}),
        ],
        ["y"],
    )  # fmt: skip
    path, _ = write_model(build_model(graph, ["y"]), tmp_path / "m.param")
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    (ours,) = NcnnRunner(path, (), spec)(image[None])
    mat = ncnn.Mat.from_pixels(image, ncnn.Mat.PixelType.PIXEL_RGB, 5, 4)
    mat.substract_mean_normalize(list(spec.mean), [1 / s for s in spec.std])
    np.testing.assert_allclose(ours[0], np.array(mat), atol=1e-5)


def test_images_of_another_size_are_refused(nets: SimpleNamespace, tmp_path: Path) -> None:
    graph = trace(nets.SmallFomo().eval(), (SIZE, SIZE))
    path, _ = write_model(build_model(graph, ["y"]), tmp_path / "m.param")
    with pytest.raises(ArtifactError, match="the file takes"):
        NcnnRunner(path)(np.zeros((1, 32, 32, 3), np.uint8))


def test_a_missing_output_is_named(nets: SimpleNamespace, tmp_path: Path) -> None:
    graph = trace(nets.SmallFomo().eval(), (SIZE, SIZE))
    path, _ = write_model(build_model(graph, ["y"]), tmp_path / "m.param")
    with pytest.raises(ArtifactError, match="outputs y; z is expected"):
        NcnnRunner(path, [OutputSpec("z", "x", 1, 3)])


def test_the_input_outlives_its_array(nets: SimpleNamespace, tmp_path: Path) -> None:
    """A view that is not contiguous is copied; large enough, its memory returns to the system."""
    identity = Node(
        "y", "max_pool", ("x",), (1, 3, 512, 512),
        {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0, 0, 0)},
    )  # fmt: skip
    graph = QuantGraph([Node("x", "input", (), (1, 3, 512, 512)), identity], ["y"])
    path, _ = write_model(build_model(graph, ["y"]), tmp_path / "m.param")
    images = np.random.default_rng(0).integers(0, 256, (2, 512, 512, 3), np.uint8)
    (got,) = NcnnRunner(path)(images)
    assert (got == images.transpose(0, 3, 1, 2)).all()
