"""awnn files: every field follows from the scales, and the simulator computes the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from edgectl_ncnn.awnn import fields
from edgectl_ncnn.awnn.capabilities import check_graph, remarks
from edgectl_ncnn.awnn.grid import on_grid, weight_fields
from edgectl_ncnn.awnn.integer import Simulator
from edgectl_ncnn.awnn.order import from_npu
from edgectl_ncnn.awnn.requantize import bias_fields, multiplier, sum_fields
from edgectl_ncnn.awnn.rewrite import symmetric_borders
from edgectl_ncnn.awnn.runtime import SimulatorRunner
from edgectl_ncnn.awnn.scheme import scheme
from edgectl_ncnn.awnn.write import build_model
from edgectl_ncnn.reader.modelfile import ModelFile, read_model, write_model
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.errors import ArtifactError
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.quant_graph import Node, QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.quantized import QuantizedGraph
from edgectl.quant.ranges.scheme import QParams
from edgectl.quant.simulate import simulate
from edgectl.quant.sqnr import sqnr_db
from edgectl.spec import OutputSpec

SIZE = 64
PER_CHANNEL = scheme(per_channel=True)


class Classes(nn.Module):
    """A classifier that is a convolution on one cell, its output two-dimensional."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 12, 3, 2, 1), nn.Conv2d(12, 5, 1)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        pooled = nn.functional.adaptive_avg_pool2d(torch.relu(self.stem(x)), 1)
        return (self.head(pooled).flatten(1),)


class Plain(nn.Module):
    """What the processor has: convolution, ReLU6, sum, concat, upsampling, both poolings."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, 2)
        self.a, self.b = nn.Conv2d(12, 40, 3, 2, 1), nn.Conv2d(40, 40, 1)
        self.head = nn.Conv2d(52, 5, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        stem = torch.relu(self.stem(nn.functional.pad(x, (0, 1, 0, 1))))
        a = nn.functional.relu6(self.a(stem))
        b = nn.functional.avg_pool2d(a + self.b(a), 2)
        up = nn.functional.interpolate(b, scale_factor=4.0, mode="nearest")
        return self.head(torch.cat([stem, up], 1)), b


def _quantized(
    nets: SimpleNamespace, model: nn.Module, per_channel: bool = True
) -> tuple[QuantizedGraph, Tensor]:
    x = nets.images(8, SIZE).float() / 127.5 - 1.0
    graph = symmetric_borders(trace(nets.settled(model, x), (SIZE, SIZE)))
    config = QuantConfig(observer="mse")
    return calibrate(graph, scheme(per_channel=per_channel), lambda: [x], config), x


def _read(quantized: QuantizedGraph, directory: Path) -> ModelFile:
    path, _ = write_model(build_model(quantized), directory / "m.param")
    model = read_model(path, layout=fields.layout)
    assert model.param_text() == path.read_text()
    assert model.bin_bytes() == path.with_suffix(".bin").read_bytes()
    return model


def _run(model: ModelFile, x: Tensor) -> list[np.ndarray]:
    outputs = Simulator(model).run(x.numpy())
    return [outputs[f"output{i}"] for i in range(len(outputs))]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
def test_every_field_follows_from_the_scales(
    nets: SimpleNamespace, tmp_path: Path, exact: bool, per_channel: bool
) -> None:
    quantized, _ = _quantized(nets, nets.SmallResNet(), per_channel)
    quantized = on_grid(quantized) if exact else quantized
    model = _read(quantized, tmp_path)
    scales: dict[str, float] = {}
    for layer in model.layers:
        scales.update(zip(layer.outputs, fields.scales_of(layer), strict=True))
        if layer.type in ("Input", "Split"):
            continue
        out = scales[layer.outputs[0]]
        ins = [scales[i] for i in layer.inputs]
        if layer.type in ("Convolution", "InnerProduct"):
            node, values = quantized.graph[layer.name], model.weights(layer)
            assert node.weight is not None and node.bias is not None
            s_w = 1.0 / quantized.weight_scales[layer.name].double().numpy()
            assert fields.output_multiplier(layer) == multiplier(out / (ins[0] * s_w.min()))
            assert (values["factor"] == np.rint(1024 * s_w.min() / s_w)).all()
            bias = bias_fields(node.bias.double().numpy() * ins[0] * s_w)
            assert (values["bias"] == bias.values).all()
            assert (fields.BIAS_MULT in layer.params) == (bias.scale is not None)
            weight = from_npu(values["weight"], tuple((*node.weight.shape, 1, 1)[:4]))
            assert (weight.ravel() == quantized.integer_weight(node).ravel()).all()
        elif layer.type == "Eltwise":
            rule = sum_fields((ins[0], ins[1]), out)
            assert fields.output_multiplier(layer) == rule.output
            assert layer.integer(fields.BASE) == (1 if rule.base == 0 else 0)
        else:
            assert fields.output_multiplier(layer) == multiplier(out / ins[0])


def test_on_grid_the_rule_is_exact(nets: SimpleNamespace) -> None:
    """And without it, it is off by the share that 5 to 7 bits leave."""
    quantized, _ = _quantized(nets, nets.SmallResNet())

    def errors(q: QuantizedGraph) -> list[float]:
        found = []
        for node in q.graph:
            if node.weight is not None:
                f = weight_fields(q, node)
                ratio = q.activations[node.inputs[0]].scale / q.activations[node.name].scale
                true = ratio * f.steps
                found.append(float(np.abs(f.output.real * f.factors / 1024 / true - 1).max()))
        return found

    moved = on_grid(quantized)
    assert max(errors(moved)) < 1e-4
    assert max(errors(quantized)) > 1e-2
    for name, steps in moved.weight_scales.items():
        assert (steps >= quantized.weight_scales[name] * (1 - 1e-4)).all()
    again = on_grid(moved)
    assert all(torch.equal(s, again.weight_scales[n]) for n, s in moved.weight_scales.items())


def test_simulator_computes_a_residual_network(nets: SimpleNamespace, tmp_path: Path) -> None:
    """Weight scales on the multiplier's grid lose less; on one network they may not, on six they do."""
    gains = []
    for seed in range(6):
        torch.manual_seed(seed)
        quantized, x = _quantized(nets, nets.SmallResNet())
        (real,) = quantized.graph.run(x)
        decibels = {}
        for exact in (True, False):
            (got,) = _run(_read(on_grid(quantized) if exact else quantized, tmp_path), x)
            assert got.shape == real.shape
            decibels[exact] = sqnr_db(real, got)
        gains.append(decibels[True] - decibels[False])
        assert decibels[True] > (28 if seed == 0 else 20)
    assert sum(gains) / len(gains) > 1


def test_simulator_agrees_with_the_quantized_graph(nets: SimpleNamespace, tmp_path: Path) -> None:
    """One step at most, seldom: the graph rounds real numbers, the file integers."""
    quantized, x = _quantized(nets, Plain())
    quantized = on_grid(quantized)
    for got, want, name in zip(
        _run(_read(quantized, tmp_path), x),
        simulate(quantized, x),
        quantized.graph.outputs,
        strict=True,
    ):
        steps = np.abs(got - want.numpy()) / quantized.activations[name].scale
        assert steps.max() < 3.01 and (steps > 0.5).mean() < 0.25


def test_a_classifier_on_one_cell_needs_no_reshape(nets: SimpleNamespace, tmp_path: Path) -> None:
    quantized, _ = _quantized(nets, Classes())
    assert check_graph(quantized.graph) == []
    model = _read(quantized, tmp_path)
    assert [layer.type for layer in model.layers[-2:]] == ["Pooling", "Convolution"]
    spec = OutputSpec("classes", "class_logits", 0, 5)
    images = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    (logits,) = SimulatorRunner(tmp_path / "m.param", (spec,), None)(images)
    assert logits.shape == (2, 5)


def test_layers_are_the_makers(nets: SimpleNamespace, tmp_path: Path) -> None:
    """ReLU6 saturates, flattening is dropped, a border on one side moves into the kernel."""
    model = _read(_quantized(nets, Plain())[0], tmp_path)
    assert {x.type for x in model.layers} == {
        "Input", "Convolution", "ReLU", "Eltwise", "Pooling", "Interp", "Concat", "Split",
    }  # fmt: skip
    assert all(fields.on_npu(x) for x in model.layers if x.type != "Input")
    stem = next(x for x in model.layers if x.type == "Convolution")
    assert (stem.integer(1), stem.integer(4), 15 in stem.params) == (4, 1, False)
    resnet = _read(_quantized(nets, nets.SmallResNet())[0], tmp_path)
    assert [x.type for x in resnet.layers][-2:] == ["Pooling", "InnerProduct"]


def test_a_clamp_inside_a_shared_range_is_written_out(tmp_path: Path) -> None:
    """Joined with a tensor up to 12, ReLU6 no longer ends where the integers end."""
    attrs = {"stride": (1, 1), "padding": (0,) * 4, "dilation": (1, 1), "groups": 1}
    eye, shape = torch.eye(2)[:, :, None, None], (1, 2, 4, 4)
    nodes = [
        Node("x", "input", (), shape),
        Node("a", "conv", ("x",), shape, attrs, "relu6", weight=eye * 10, bias=torch.zeros(2)),
        Node("b", "conv", ("x",), shape, attrs, weight=eye * 12, bias=torch.zeros(2)),
        Node("c", "concat", ("a", "b"), (1, 4, 4, 4)),
    ]
    q = {"x": QParams(1 / 127, 0), **dict.fromkeys("abc", QParams(12 / 127, 0))}
    scales = {"a": torch.full((2,), 10 / 127), "b": torch.full((2,), 12 / 127)}
    quantized = QuantizedGraph(QuantGraph(nodes, ["c"]), PER_CHANNEL, q, scales)
    model = _read(on_grid(quantized), tmp_path)
    clip = next(x for x in model.layers if x.type == "Clip")
    assert not fields.on_npu(clip)
    (got,) = _run(model, torch.ones(1, 2, 4, 4))
    np.testing.assert_allclose(got[0, :, 0, 0], [6, 6, 12, 12], atol=12 / 127)


def test_depthwise_falls_to_the_cpu(nets: SimpleNamespace, tmp_path: Path) -> None:
    quantized, x = _quantized(nets, nets.SmallFomo())
    assert check_graph(quantized.graph) == []
    lines = remarks(quantized.graph)
    assert len(lines) == 3 and lines[0].startswith("blocks.0.depthwise.0: depthwise convolution")
    model = _read(on_grid(quantized), tmp_path)
    assert sum(not fields.on_npu(x) for x in model.layers if x.type != "Input") == 3
    (real,), (got,) = quantized.graph.run(x), _run(model, x)
    assert sqnr_db(real, got) > 18


def test_ops_without_a_kernel_are_listed(nets: SimpleNamespace) -> None:
    graph = trace(nets.SmallDetector().eval(), (SIZE, SIZE))
    lines = check_graph(graph)
    assert any("no kernel for SiLU; train with act_layer=relu" in x for x in lines)
    assert any("product" in x and "without attention" in x for x in lines)
    assert any("average pooling with a border" in x for x in lines)
    assert any("sigmoid; return logits" in x for x in lines)
    with pytest.raises(ArtifactError, match="no kernel"):
        q = dict.fromkeys((n.name for n in graph), QParams(0.1, 0))
        ones = {n.name: torch.ones(n.shape[1]) for n in graph if n.weight is not None}
        build_model(QuantizedGraph(graph, PER_CHANNEL, q, ones))


def test_a_dead_layer_is_named(nets: SimpleNamespace) -> None:
    quantized, _ = _quantized(nets, nets.SmallResNet())
    name = quantized.graph.outputs[0]
    dead = {**quantized.activations, name: QParams(1e-12, 0)}
    for convert in (build_model, on_grid):
        with pytest.raises(ArtifactError, match="fc") as e:
            convert(replace(quantized, activations=dead))
        assert e.value.fix


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("-23329=1,", "-23329=2,", "array 29"),
        (" 21=", " 91=", "no valid multiplier"),
        ("Eltwise ", "ReLU6   ", "layer type 'ReLU6'"),
        ("Pooling ", "Softmax ", "no NPU kernel"),
    ],
)
def test_damaged_param(
    nets: SimpleNamespace, tmp_path: Path, old: str, new: str, says: str
) -> None:
    quantized, _ = _quantized(nets, nets.SmallResNet())
    path, _ = write_model(build_model(quantized), tmp_path / "m.param")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ArtifactError, match=says):
        Simulator(read_model(path, layout=fields.layout))


def test_damaged_bin(nets: SimpleNamespace, tmp_path: Path) -> None:
    quantized, _ = _quantized(nets, nets.SmallResNet())
    path, weights = write_model(build_model(quantized), tmp_path / "m.param")
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(ArtifactError, match="cut short"):
        read_model(path, layout=fields.layout)
