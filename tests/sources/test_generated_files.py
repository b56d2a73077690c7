"""Files nobody wrote by hand: 200 random networks are what onnxruntime says they are, 300 altered ones are
that or refused in one line."""

from __future__ import annotations

import random
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from edgectl.errors import EdgectlError
from edgectl.sources.onnx_source import read_onnx_file
from edgectl.sources.options import Statement
from edgectl.sources.tail import open_session, run_session

SIZE = 24


class Random(nn.Module):
    """Layers drawn by a seed, then one to three heads, joined or not."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.draw = random.Random(seed)
        channels, layers = 3, []
        for _ in range(self.draw.randint(1, 6)):
            channels, layer = self.layer(channels)
            layers.append(layer)
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleList(
            nn.Conv2d(channels, self.draw.randint(1, 5), 1) for _ in range(self.draw.randint(1, 3))
        )
        self.end = self.draw.choice(("heads", "joined", "pooled", "scored"))

    def layer(self, channels):
        draw = self.draw
        out = draw.choice((4, 8, 12))
        kernel, stride = draw.choice((1, 3, 5)), draw.choice((1, 1, 2))
        act = draw.choice((nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Identity))()
        kind = draw.choice(("conv", "norm", "depthwise", "residual", "pool"))
        conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=draw.random() < 0.5)
        if kind == "norm":
            norm = nn.BatchNorm2d(out)
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
            return out, nn.Sequential(conv, norm, act)
        if kind == "depthwise":
            deep = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)
            return out, nn.Sequential(deep, act, conv)
        if kind == "residual":
            return channels, Residual(channels, act)
        if kind == "pool":
            return out, nn.Sequential(conv, act, nn.MaxPool2d(3, 1, 1))
        return out, nn.Sequential(conv, act)

    def forward(self, x):
        y = self.body(x)
        heads = [h(y) for h in self.heads]
        if self.end == "joined":
            return torch.cat([h.flatten(2) for h in heads], 1).permute(0, 2, 1)
        if self.end == "pooled":
            return tuple(h.mean((2, 3)) for h in heads)
        if self.end == "scored":
            return heads[0].sigmoid().flatten(1).topk(2)[0], *heads[1:]
        return tuple(heads)


class Residual(nn.Module):
    def __init__(self, channels, act):
        super().__init__()
        self.conv, self.act = nn.Conv2d(channels, channels, 3, 1, 1), act

    def forward(self, x):
        return self.act(self.conv(x)) + x


def write(seed, path):
    torch.manual_seed(seed)
    opset = random.Random(seed).choice((9, 11, 12, 13, 15, 17))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Random(seed).eval()
        # older opsets have no h-swish
        opset = (
            max(opset, 14) if any(isinstance(m, nn.Hardswish) for m in model.modules()) else opset
        )
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, SIZE, SIZE),),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=["x"],
        )
    return path


def require_what_the_file_says(path):
    """Graph and tail against onnxruntime on the whole file."""
    network = read_onnx_file(path, Statement())
    rng = np.random.default_rng(0)
    shape = tuple(network.graph.input.shape)
    x = rng.normal(size=shape).astype(np.float32)
    session = open_session(path.read_bytes())
    names = [o.name for o in session.get_outputs()]
    feed = {session.get_inputs()[0].name: x}
    expected = [torch.from_numpy(y) for y in run_session(session, names, feed)]
    heads = network.graph.run(torch.from_numpy(x))
    got = heads if network.tail is None else network.tail.run(heads)
    for y, want in zip(got, expected, strict=True):
        scale = float(want.float().abs().max()) or 1.0
        assert torch.allclose(y.float(), want.float(), rtol=0, atol=1e-3 * scale, equal_nan=True)


def alter(model, draw):
    """One to three changes a careless program might make, that leave a valid protobuf."""
    graph = model.graph
    for _ in range(draw.randint(1, 3)):
        node = draw.choice(graph.node)
        what = draw.choice(
            ("op", "input", "attribute", "weights", "drop", "output", "shape", "rename")
        )
        if what == "op":
            node.op_type = draw.choice(
                ("Relu", "Sigmoid", "Add", "Conv", "Mul", "Concat", "Erf", "Foo")
            )
        elif what == "input" and node.input:
            others = [o for n in graph.node for o in n.output] + [t.name for t in graph.initializer]
            node.input[draw.randrange(len(node.input))] = draw.choice(others)
        elif what == "attribute" and node.attribute:
            attribute = draw.choice(node.attribute)
            attribute.i = draw.choice((-1, 0, 2, 7))
            for k in range(len(attribute.ints)):
                attribute.ints[k] = draw.choice((0, 1, 2, 3, -1))
        elif what == "weights" and graph.initializer:
            tensor = draw.choice(graph.initializer)
            if tensor.dims:
                tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice((0, 1, 2, 5))
        elif what == "drop" and len(graph.node) > 1:
            graph.node.remove(node)
        elif what == "output":
            graph.output[0].name = draw.choice([o for n in graph.node for o in n.output])
        elif what == "shape":
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[draw.randrange(4)].dim_value = draw.choice((0, 1, 3, 7, 24, 4096))
        elif what == "rename":
            node.output[0] = draw.choice(("x", "y", node.output[0] + "_", ""))


@pytest.mark.parametrize("first", [0, pytest.param(12, marks=pytest.mark.slow)])
def test_random_networks_are_what_onnxruntime_says(tmp_path, first):
    for seed in range(first, 200 if first else 12):
        require_what_the_file_says(write(seed, tmp_path / "random.onnx"))


@pytest.mark.slow
def test_altered_files_are_what_they_say_or_refused(tmp_path):
    refused = 0
    for seed in range(300):
        draw = random.Random(seed)
        model = onnx.load(write(seed % 50, tmp_path / "whole.onnx"))
        alter(model, draw)
        path = tmp_path / "altered.onnx"
        onnx.save(model, path)
        try:
            require_what_the_file_says(path)
        except EdgectlError as e:
            assert "\n" not in e.message, e.message
            refused += 1
    assert 100 < refused < 300, refused
