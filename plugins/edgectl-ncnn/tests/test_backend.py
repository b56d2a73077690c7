"""The contract of both backends: prepare, write, describe, open, usage, registration."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from edgectl_ncnn import plugin
from edgectl_ncnn.awnn.backend import AwnnBackend
from edgectl_ncnn.awnn.config import AwnnConfig
from edgectl_ncnn.backend import NcnnBackend
from edgectl_ncnn.config import NcnnConfig
from edgectl_ncnn.reader.modelfile import read_model
from edgectl_ncnn.runtimes.runtime import NcnnRunner
from pydantic import ValidationError

from edgectl.artifacts.manifest import Manifest, Tensors
from edgectl.backends.contract import Packager, Remarker, WriteRequest
from edgectl.config.schema import QuantConfig
from edgectl.data.images.preprocess import normalize
from edgectl.errors import ArtifactError, UnknownNameError, UsageError
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.trace import trace
from edgectl.quant.sqnr import sqnr_db
from edgectl.spec import OperatingPoint, OutputSpec, PreprocessSpec
from edgectl.testing.manifest import make_manifest

SIZE = 64
SPEC = OutputSpec("scores", "class_logits", 0, 4, "softmax")
PREPROCESS = PreprocessSpec(
    (SIZE, SIZE), mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
)
BACKENDS: list[tuple[Any, Any, str]] = [
    (NcnnBackend(), NcnnConfig(), "ncnn"),
    (AwnnBackend(), AwnnConfig(), "simulator"),
]


def _made(nets: SimpleNamespace, backend: Any, config: Any) -> tuple[Any, Any, np.ndarray]:
    """(prepared graph, quantized graph, uint8 NHWC images)."""
    images = nets.images(8, SIZE)
    x = normalize(images, PREPROCESS)
    graph = trace(nets.settled(nets.SmallResNet(), x), (SIZE, SIZE))
    assert backend.check(graph) == []
    graph, specs = backend.prepare(graph, [SPEC], config)
    assert specs == (SPEC,)  # the host applies the softmax
    quant = QuantConfig(observer="mse")
    quantized = calibrate(graph, backend.scheme(config), lambda: [x], quant)
    return graph, quantized, images.permute(0, 2, 3, 1).numpy()


def _write(backend: Any, config: Any, graph: Any, directory: Path, precision: str) -> list[Path]:
    files: list[Path] = backend.write(
        WriteRequest(
            graph=graph,
            directory=directory,
            outputs=(SPEC,),
            preprocess=PREPROCESS,
            classes=("a", "b", "c", "d"),
            precision=precision,
            config=config,
        )
    )
    assert all(f.is_file() for f in files)
    assert (directory / "labels.txt").read_text() == "a\nb\nc\nd\n"
    return files


def _manifest(path: Path, facts: dict[str, Any], precision: str) -> Manifest:
    return make_manifest(
        model=path.name,
        precision=precision,
        classes=("a", "b", "c", "d"),
        preprocess=PREPROCESS,
        outputs=(SPEC,),
        operating_point=OperatingPoint(0.5, "train", 0.5),
        tensors=Tensors.from_description(facts),
    )


@pytest.mark.parametrize(("backend", "config", "runtime"), BACKENDS)
def test_int8_from_network_to_runtime(
    nets: SimpleNamespace, tmp_path: Path, backend: Any, config: Any, runtime: str
) -> None:
    graph, quantized, images = _made(nets, backend, config)
    path = _write(backend, config, quantized, tmp_path, "int8")[0]
    facts = backend.describe(path)
    assert set(facts["files"]) == {path.name, path.with_suffix(".bin").name}
    assert facts["file_bytes"] == sum((tmp_path / f).stat().st_size for f in facts["files"])
    assert [len(facts[k]) for k in ("inputs", "outputs")] == [1, 1]
    runner = backend.open(path, runtime=runtime, specs=[SPEC], preprocess=PREPROCESS)
    (got,) = runner(images)
    x = normalize(torch.from_numpy(images).permute(0, 3, 1, 2), PREPROCESS)
    (want,) = graph.run(x)
    assert got.shape == want.shape and got.dtype == np.float32
    assert sqnr_db(want, got) > 25
    text = backend.usage(_manifest(path, facts, "int8"))
    assert "58.395" not in text and str(1 / 58.395)[:8] in text  # norm multiplies


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_float_files_of_ncnn(nets: SimpleNamespace, tmp_path: Path, precision: str) -> None:
    backend, config = NcnnBackend(), NcnnConfig()
    graph, _, images = _made(nets, backend, config)
    path = _write(backend, config, graph, tmp_path, precision)[0]
    assert not (tmp_path / "model.table").exists()
    facts = backend.describe(path)
    assert facts["outputs"] == [{"name": "scores", "shape": [4], "dtype": "float32"}]
    (got,) = backend.open(path, runtime="ncnn", specs=[SPEC], preprocess=PREPROCESS)(images)
    x = normalize(torch.from_numpy(images).permute(0, 3, 1, 2), PREPROCESS)
    np.testing.assert_allclose(got, graph.run(x)[0], atol=1e-4 if precision == "fp32" else 1e-2)


def test_awnn_is_int8_only(nets: SimpleNamespace, tmp_path: Path) -> None:
    backend, config = AwnnBackend(), AwnnConfig()
    graph, _ = backend.prepare(trace(nets.SmallResNet().eval(), (SIZE, SIZE)), [SPEC], config)
    with pytest.raises(UsageError, match="int8"):
        _write(backend, config, graph, tmp_path, "fp32")


def test_mud_is_what_the_boards_loader_reads(nets: SimpleNamespace, tmp_path: Path) -> None:
    import configparser

    backend, config = AwnnBackend(), AwnnConfig()
    _, quantized, _ = _made(nets, backend, config)
    _write(backend, config, quantized, tmp_path, "int8")
    mud = configparser.ConfigParser()
    mud.read(tmp_path / "model_int8.mud")
    assert dict(mud["basic"]) == {
        "type": "awnn", "param": "model_int8.param", "bin": "model_int8.bin",
    }  # fmt: skip
    numbers = [float(v) for v in mud["inputs"]["input0"].split(",")]
    norm = [1 / s for s in PREPROCESS.std]
    assert numbers == pytest.approx([SIZE, SIZE, 3, *PREPROCESS.mean, *norm])
    assert mud["outputs"]["output0"] == "1, 1, 4"


def test_maixhub_package(nets: SimpleNamespace, tmp_path: Path) -> None:
    """One .param, one .bin and images, nothing else; the float network and its images."""
    backend, config = AwnnBackend(), AwnnConfig(maixhub_images=5)
    graph, _, images = _made(nets, backend, config)
    (path,) = backend.package(
        tmp_path, graph=graph, images=[images], preprocess=PREPROCESS, config=config
    )
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "x")
        names = sorted(archive.namelist())
    assert names == [*(f"images/{i:04d}.jpg" for i in range(5)), "model.bin", "model.param"]
    model = read_model(tmp_path / "x/model.param")
    assert (model.inputs, model.outputs) == (("input0",), ("output0",))
    assert model.layers[0].params == {0: "64", 1: "64", 2: "3"}
    x = normalize(torch.from_numpy(images).permute(0, 3, 1, 2), PREPROCESS)
    (got,) = NcnnRunner(tmp_path / "x/model.param").run(x[0].numpy())
    np.testing.assert_allclose(got, graph.run(x)[0][0], atol=1e-4)
    image = cv2.imread(str(tmp_path / "x/images/0000.jpg"))
    assert np.abs(image[:, :, ::-1].astype(int) - images[0]).mean() < 20  # JPEG, rgb kept
    again = backend.package(
        tmp_path, graph=graph, images=[images], preprocess=PREPROCESS, config=config
    )[0]
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("backend", "config", "runtime"), BACKENDS)
def test_wrong_use_is_named(
    nets: SimpleNamespace, tmp_path: Path, backend: Any, config: Any, runtime: str
) -> None:
    _, quantized, images = _made(nets, backend, config)
    path = _write(backend, config, quantized, tmp_path, "int8")[0]
    with pytest.raises(UnknownNameError, match="runtime"):
        backend.open(path, runtime="wonder", specs=[SPEC], preprocess=None)
    with pytest.raises(ArtifactError, match="the file takes"):
        backend.open(path, runtime=runtime, specs=[SPEC], preprocess=None)(images[:, :32])
    with pytest.raises(ArtifactError, match="expected"):
        backend.open(
            path, runtime=runtime, specs=[SPEC, OutputSpec("z", "x", 1, 1)], preprocess=None
        )
    path.write_text("rubbish")
    with pytest.raises(ArtifactError, match="not an ncnn"):
        backend.open(path, runtime=runtime, specs=[SPEC], preprocess=None)


def test_foreign_files_are_described(golden: Any) -> None:
    facts = NcnnBackend().describe(golden("squeezenet_v1.1.ncnn.param"))
    assert facts["inputs"] == [{"name": "data", "shape": [3, 227, 227], "dtype": "float32"}]
    assert facts["outputs"][0]["shape"] == [1000]
    nanodet = NcnnBackend().describe(golden("nanodet_m.ncnn.param"))
    assert [o["name"] for o in nanodet["outputs"]] == ["792", "795", "814", "817", "836", "839"]


def test_configuration_is_strict() -> None:
    with pytest.raises(ValidationError):
        AwnnConfig(weights="per_row")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        NcnnConfig(threads=2)  # type: ignore[call-arg]


def test_registration() -> None:
    infos = {i.name: i for i in plugin.edgectl_register_backends()}
    assert set(infos) == {"ncnn", "awnn"}
    assert all(i.input == "normalized" and i.qat for i in infos.values())
    assert isinstance(AwnnBackend(), Packager) and isinstance(AwnnBackend(), Remarker)
    boards = {b.name: b.backend for b in plugin.edgectl_register_boards()}
    assert boards == {"ncnn-linux": "ncnn", "maixii-dock": "awnn"}


def test_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    ncnn, pnnx = plugin.edgectl_doctor_checks()
    assert ncnn.status == "missing" and ncnn.fix
    assert pnnx.status == "warning" and "[pnnx]" in pnnx.fix


def test_registering_imports_nothing_heavy() -> None:
    program = (
        "import sys, edgectl_ncnn.plugin as p; p.edgectl_register_backends();"
        "p.edgectl_register_boards(); p.edgectl_doctor_checks();"
        "print(sorted({'torch', 'numpy', 'ncnn', 'cv2'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
