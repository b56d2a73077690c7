"""int8 files: the runtime computes what the quantized graph says, and the scheme trains."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from edgectl_ncnn.reader.modelfile import read_model, write_model
from edgectl_ncnn.runtimes.runtime import NcnnRunner
from edgectl_ncnn.scheme import scheme
from edgectl_ncnn.writer.table import calibration_table
from edgectl_ncnn.writer.write import build_model
from torch import Tensor

from edgectl.config.schema import QuantConfig
from edgectl.quant.calibrate import calibrate
from edgectl.quant.fake_quant import FakeQuantNet
from edgectl.quant.graph.trace import trace
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QuantScheme
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import sqnr_db

SIZE = 64
FLOAT, INT8 = (scheme(float_depthwise=v) for v in (True, False))


def _quantized(
    nets: SimpleNamespace, name: str, arithmetic: QuantScheme = INT8
) -> tuple[QuantizedGraph, Tensor]:
    x = nets.images(8, SIZE).float() / 127.5 - 1.0
    model = nets.settled(getattr(nets, name)(), x)
    config = QuantConfig(observer="mse")
    return calibrate(trace(model, (SIZE, SIZE)), arithmetic, lambda: [x], config), x


def _written(quantized: QuantizedGraph, directory: Path) -> Path:
    names = [f"o{i}" for i in range(len(quantized.graph.outputs))]
    return write_model(build_model(quantized, names), directory / "m.param")[0]


def _run(path: Path, x: Tensor) -> list[np.ndarray]:
    runner = NcnnRunner(path)
    return [np.stack(p) for p in zip(*(runner.run(v) for v in x.numpy()), strict=True)]


def _assert_same(got: np.ndarray | Tensor, wanted: Tensor) -> None:
    """Sums are exact on either side; what is left is the float rounding of scales, 1e-5. Where that puts a
    value on the border of two integers, processors with and without fused multiply-add may take
    different ones, and the image it is in differs by a step: in few images, and by little."""
    got = torch.as_tensor(got)
    apart = (got - wanted).abs().flatten(1).amax(1)
    assert (apart <= 1e-5).float().mean() >= 0.75, apart
    assert sqnr_db(wanted, got) > 40


def test_runtime_computes_the_quantized_graph(nets: SimpleNamespace, tmp_path: Path) -> None:
    quantized, x = _quantized(nets, "SmallResNet")
    (got,) = _run(_written(quantized, tmp_path), x)
    (simulated,) = simulate(quantized, x)
    _assert_same(got, simulated)
    (real,) = quantized.graph.run(x)
    assert sqnr_db(real, got) > 30


@pytest.mark.parametrize("name", ["SmallFomo", "SmallDetector"])
def test_depthwise_and_float_layers_agree_within_quantization(
    nets: SimpleNamespace, tmp_path: Path, name: str
) -> None:
    """ncnn's depthwise kernel has an accuracy of some 1e-4, so a few elements round otherwise."""
    quantized, x = _quantized(nets, name)
    real, simulated = quantized.graph.run(x), simulate(quantized, x)
    for got, sim, want in zip(_run(_written(quantized, tmp_path), x), simulated, real, strict=True):
        assert sqnr_db(sim, got) > sqnr_db(want, sim)


def test_large_weights_do_not_overflow(nets: SimpleNamespace, tmp_path: Path) -> None:
    """Full-range weights and inputs through 3x3 convolutions, which ncnn may run as Winograd."""
    quantized, x = _quantized(nets, "SmallResNet")
    for node in quantized.graph:
        if node.op == "conv" and node.weight is not None:
            node.weight = (
                node.weight.sign() * quantized.weight_scales[node.name].reshape(-1, 1, 1, 1) * 127.0
            )
    (got,) = _run(_written(quantized, tmp_path), x.sign())
    (simulated,) = simulate(quantized, x.sign())
    assert sqnr_db(simulated, got) > 80


def test_file_holds_the_graphs_numbers(nets: SimpleNamespace, tmp_path: Path) -> None:
    quantized, _ = _quantized(nets, "SmallFomo")
    model = read_model(_written(quantized, tmp_path))
    fused = 0
    for layer in model.layers:
        if not layer.integer(8):
            continue
        node, values = quantized.graph[layer.name], model.weights(layer)
        assert (values["weight"] == quantized.integer_weight(node).ravel()).all()
        assert layer.integer(8) % 100 == (1 if node.depthwise else 2)
        scale = quantized.activations[node.inputs[0]].scale
        assert values["bottom_scale"][0] == pytest.approx(1 / scale)
        if layer.integer(8) > 100:
            fused += 1
            (reader,) = (r for r in model.layers if layer.outputs[0] in r.inputs)
            assert values["top_scale"] == model.weights(reader)["bottom_scale"]
    assert fused == 6  # expansion and depthwise filter of each block; the others feed sums


def test_calibration_table(nets: SimpleNamespace) -> None:
    quantized, _ = _quantized(nets, "SmallFomo")
    lines = calibration_table(build_model(quantized, ["o"])).splitlines()
    names = [n.name for n in quantized.graph if n.op == "conv"]
    assert [line.split()[0] for line in lines] == [f"{n}_param_0" for n in names] + names
    first = lines[len(names)].split()
    assert float(first[1]) == pytest.approx(1 / quantized.activations["input"].scale)


def test_training_keeps_the_scheme(nets: SimpleNamespace, tmp_path: Path) -> None:
    """QAT forward, export and the file on the runtime are one function; ranges and weights learn."""
    quantized, x = _quantized(nets, "SmallResNet")
    net = FakeQuantNet(quantized)
    before = net(x)[0].detach()
    torch.testing.assert_close(before, simulate(quantized, x)[0])
    optimizer = torch.optim.Adam(net.parameter_groups(lr=1e-3, range_lr=1e-2))
    for _ in range(3):
        optimizer.zero_grad()
        net(x)[0].square().sum().backward()
        optimizer.step()
    trained = net.export()
    (after,) = (t.detach() for t in net(x))
    assert float(after.square().sum()) < float(before.square().sum())
    assert trained.activations != quantized.activations
    (got,) = _run(_written(trained, tmp_path), x)
    _assert_same(got, after)


@pytest.mark.parametrize("name", ["SmallFomo", "SmallDetector"])
def test_float_depthwise(nets: SimpleNamespace, tmp_path: Path, name: str) -> None:
    """The file holds them in float, the graph says what the runtime computes, and less is lost."""
    errors = {}
    for arithmetic in (FLOAT, INT8):
        quantized, x = _quantized(nets, name, arithmetic)
        path = _written(quantized, tmp_path)
        real, got = quantized.graph.run(x), _run(path, x)
        errors[arithmetic.float_grouped] = min(map(sqnr_db, real, got))
        if arithmetic is FLOAT:
            for y, simulated, want in zip(got, simulate(quantized, x), real, strict=True):
                # a value on the border of two integers reaches the few elements around it
                apart = (torch.as_tensor(y) - simulated).abs()
                assert (apart > 1e-3).float().mean() < 0.01
                assert sqnr_db(simulated, y) > sqnr_db(want, simulated) + 10
            kinds = {x.type: x.integer(8) for x in read_model(path).layers if x.type[:4] == "Conv"}
            assert kinds["ConvolutionDepthWise"] == 0 and kinds["Convolution"] > 0
            net = FakeQuantNet(quantized)
            assert torch.equal(net(x)[0].detach(), simulate(quantized, x)[0])
            sum(y.square().sum() for y in net(x)).backward()
            assert all(w.grad is not None for w in net.weights)
    assert errors[True] > errors[False]
