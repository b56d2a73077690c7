"""ONNX files against onnxruntime: the body's numbers, the cut, the tail, and files that are damaged."""

from __future__ import annotations

import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgectl.errors import ArtifactError, EdgectlError, UnsupportedOpError, UsageError
from edgectl.quant.graph.onnx_file import compute_heads, read_onnx
from edgectl.quant.graph.trace import trace

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxsim")

WEIGHTS = Path(os.environ.get("EDGECTL_WEIGHTS", Path(__file__).parents[3] / "shared" / "weights"))


class Backbone(nn.Module):
    """A little of everything: batch norm, SiLU, a split, pooling, upsampling, a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU())
        self.part = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1, groups=4), nn.ReLU6())
        self.join = nn.Conv2d(12, 6, 1)

    def forward(self, x):
        whole = self.stem(x)
        halves = list(whole.chunk(2, 1))
        halves.append(self.part(halves[-1]) + halves[0])
        y = self.join(torch.cat(halves, 1))
        return F.interpolate(F.max_pool2d(y, 2), scale_factor=2.0) + y


class Detector(nn.Module):
    """Two heads, then what a deployed file decodes: reshape, permute, concatenate, sigmoid, top-k."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.boxes, self.scores = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 3, 1)

    def forward(self, x):
        y = self.backbone(x)
        boxes = self.boxes(y).flatten(2).permute(0, 2, 1)
        scores = self.scores(y).sigmoid().flatten(2).permute(0, 2, 1)
        best, index = scores.max(-1)[0].topk(5)
        return boxes, scores, best, index


def write(model: nn.Module, path: Path, opset: int = 13, dynamic=None) -> Path:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (torch.zeros(1, 3, 32, 32),),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=["images"],
            dynamic_axes=dynamic,
        )
    return path


def deviation(network, images: torch.Tensor) -> float:
    """Largest difference from onnxruntime, relative to each head's largest number."""
    pairs = zip(network.graph.run(images), compute_heads(network, images), strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_a_file_gives_what_the_module_gives(tmp_path, opset):
    model = Backbone()
    network = read_onnx(write(model, tmp_path / "model.onnx", opset))
    images = torch.randn(2, 3, 32, 32)
    assert network.tail is None and deviation(network, images) < 1e-5
    ours, theirs = network.graph.run(images), trace(model, (32, 32)).run(images)
    torch.testing.assert_close(ours[0], theirs[0], atol=1e-5, rtol=1e-5)
    # the two halves of the chunk are two convolutions; nothing computes what is thrown away
    assert [n.op for n in network.graph] == [n.op for n in trace(model, (32, 32))]


def test_decoding_is_cut_and_kept_as_a_tail(tmp_path):
    path = write(Detector(), tmp_path / "detector.onnx")
    network = read_onnx(path)
    assert [n.shape[1] for n in map(network.graph.__getitem__, network.graph.outputs)] == [4, 3]
    assert all(network.graph[o].op == "conv" for o in network.graph.outputs)
    images = torch.randn(1, 3, 32, 32)
    assert deviation(network, images) < 1e-5
    heads = dict(zip(network.heads, network.graph.run(images), strict=True))
    run = onnxruntime.InferenceSession(
        network.tail.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ends = run.run(None, {k: v.numpy() for k, v in heads.items()})
    whole = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for ours, theirs in zip(ends, whole.run(None, {"images": images.numpy()}), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_an_open_size_is_asked_for(tmp_path):
    path = write(
        Backbone(), tmp_path / "open.onnx", dynamic={"images": {0: "n", 2: "rows", 3: "columns"}}
    )
    with pytest.raises(UsageError, match="size open") as caught:
        read_onnx(path)
    assert "--imgsz" in caught.value.fix
    network = read_onnx(path, (64, 48))
    assert network.graph.input.shape == (1, 3, 64, 48)
    with pytest.raises(UsageError, match="takes 32x32"):
        read_onnx(write(Backbone(), tmp_path / "closed.onnx"), (64, 64))


def test_a_network_nothing_of_which_runs_is_refused(tmp_path):
    class Odd(nn.Module):
        def forward(self, x):
            return torch.erf(x)

    with pytest.raises(UnsupportedOpError, match="Erf"):
        read_onnx(write(Odd(), tmp_path / "odd.onnx"))


class Modern(nn.Module):
    """What transformers and newer detectors are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.PReLU(8), nn.Conv2d(8, 16, 3, 2, 1))
        self.norm, self.qkv, self.mlp = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)
        self.up, self.last = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(8, 4, 1)

    def forward(self, x):
        y = F.leaky_relu(self.stem(x), 0.2).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(y)).reshape(1, 64, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * 8**-0.5).softmax(-1)
        y = y + (weights @ v).transpose(1, 2).reshape(1, 64, 16)
        y = F.gelu(self.mlp(y)).transpose(1, 2).reshape(1, 16, 8, 8)
        y = F.interpolate(self.up(y), (20, 20), mode="bilinear").clamp(-1, 1)
        return self.last(torch.tanh(y) * y.amax((2, 3), keepdim=True))


@pytest.mark.parametrize("opset", [13, 17])
def test_attention_and_norms_are_taken_whole(tmp_path, opset):
    network = read_onnx(write(Modern(), tmp_path / "modern.onnx", opset))
    assert {v.verdict for v in network.verdicts} == {"runs"} and network.tail is None
    assert deviation(network, torch.randn(2, 3, 32, 32)) < 1e-4
    ops = {n.op for n in network.graph}
    assert {"matmul", "softmax", "lookup", "prelu", "conv_transpose", "resize"} <= ops


def test_a_square_root_nobody_divides_by_is_cut(tmp_path):
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return torch.sqrt(self.conv(x).relu())

    network = read_onnx(write(Root(), tmp_path / "root.onnx"))
    assert [v.op for v in network.verdicts if v.verdict == "cut"] == ["Sqrt"]
    assert network.tail is not None and network.graph[network.graph.outputs[0]].op == "conv"


def test_damaged_files_end_in_one_error(tmp_path):
    """Bytes of a file changed, cut or exchanged: the file's own numbers, or an error of this program."""
    data = write(Detector(), tmp_path / "whole.onnx").read_bytes()
    rng = random.Random(0)
    path, images = tmp_path / "damaged.onnx", torch.randn(1, 3, 32, 32)
    refused = 0
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 3, 20))):
            changed[rng.randrange(len(changed) // 3)] = rng.randrange(256)
        path.write_bytes(changed[: rng.choice((len(changed), rng.randrange(len(changed))))])
        try:
            network = read_onnx(path)
        except EdgectlError:
            refused += 1
            continue
        graph, file = network.graph.run(images), compute_heads(network, images)
        for a, b in zip(graph, file, strict=True):
            assert torch.allclose(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max()), equal_nan=True)
    assert refused > 10
    path.write_bytes(b"")
    with pytest.raises(ArtifactError):
        read_onnx(path)


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="real networks are not here: set EDGECTL_WEIGHTS")
@pytest.mark.parametrize(
    ("name", "size", "channels"),
    [
        ("yolox_nano_coco_416.onnx", None, [80, 4, 1] * 3),
        ("rtmdet_nano_person.onnx", (320, 320), [1, 4] * 3),
    ],
)
def test_published_detectors_are_read_up_to_their_raw_heads(name, size, channels):
    network = read_onnx(WEIGHTS / name, size)
    assert [network.graph[o].shape[1] for o in network.graph.outputs] == channels
    images = 2.0 * torch.randn(1, *network.graph.input.shape[1:], generator=torch.manual_seed(0))
    assert deviation(network, images) < 1e-4
