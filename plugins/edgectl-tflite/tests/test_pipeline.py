"""From a torch network to bytes: trace, calibrate, write, and every runtime's answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from edgectl_tflite.backend import TfliteBackend
from edgectl_tflite.config import TfliteConfig
from torch import Tensor, nn

from edgectl.backends.contract import WriteRequest
from edgectl.config.schema import QuantConfig
from edgectl.quant.calibrate import calibrate
from edgectl.quant.graph.trace import trace
from edgectl.quant.simulate import simulate
from edgectl.spec import OutputSpec, PreprocessSpec

SIZE = 96
SPEC = OutputSpec("cells", "cell_logits", 8, 3, "softmax")


def _conv(i: int, o: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    border: list[nn.Module] = []
    if stride == 2:
        border = [nn.ZeroPad2d((0, 1, 0, 1))]
    padding = 0 if border else kernel // 2
    conv = nn.Conv2d(i, o, kernel, stride, padding, groups=groups, bias=False)
    return [*border, conv, nn.BatchNorm2d(o, momentum=1.0)]


class Block(nn.Module):
    """Inverted residual."""

    def __init__(self, i: int, o: int, stride: int, wide: int) -> None:
        super().__init__()
        expand = [*_conv(i, wide), nn.ReLU6()] if wide != i else []
        depthwise = [*_conv(wide, wide, 3, stride, wide), nn.ReLU6()]
        self.body = nn.Sequential(*expand, *depthwise, *_conv(wide, o))
        self.residual = stride == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.residual else y


def _images() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)
    return coarse.repeat(SIZE // 12, 1).repeat(SIZE // 12, 2)


def _lowered(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0


def _fomo() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        *_conv(3, 16, 3, 2),
        nn.ReLU6(),
        Block(16, 8, 1, 16),
        Block(8, 8, 2, 48),
        Block(8, 8, 1, 48),
        Block(8, 16, 2, 48),
        Block(16, 16, 1, 96),
        Block(16, 16, 1, 96),
        nn.Conv2d(16, 48, 1),
        nn.ReLU(),
        nn.Conv2d(48, 3, 1),
    )
    with torch.no_grad():
        model(_lowered(_images()))  # batch norm takes these statistics
        model[-1].weight *= 8.0  # logits far enough apart to tell scores from each other
    return model.eval()


def test_fomo_from_torch_to_every_runtime(tflm: None, tmp_path: Path) -> None:
    backend, config = TfliteBackend(), TfliteConfig()
    images = _images()
    x = _lowered(images)

    def batches() -> Iterator[Tensor]:
        yield x

    model = _fomo()
    graph, specs = backend.prepare(trace(model, (SIZE, SIZE)), [SPEC], config)
    assert backend.check(graph) == []
    quantized = calibrate(graph, backend.scheme(config), batches, QuantConfig(observer="minmax"))
    path, _ = backend.write(
        WriteRequest(
            graph=quantized,
            directory=tmp_path,
            outputs=specs,
            preprocess=PreprocessSpec((SIZE, SIZE)),
            classes=("mask", "no_mask"),
            precision="int8",
            config=config,
        )
    )
    facts = backend.describe(path)
    # The borders of stride 2 are SAME's: no PAD, no copy.
    assert {op["name"] for op in facts["ops"]} == {
        "ADD", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX",
    }  # fmt: skip
    assert facts["arena"]["activations"] == 2 * 16 * 48 * 48  # the stem and its depthwise filter

    def scores(runtime: str) -> np.ndarray:
        runner = backend.open(path, runtime=runtime, specs=specs, preprocess=None)
        return runner(images)[0]

    exact = scores("integer")
    assert exact.shape == (4, 3, 12, 12) and len(np.unique(exact)) > 30
    assert (scores("tflm") == exact).all()
    with torch.no_grad():
        real = torch.softmax(model(x), dim=1).numpy()
    simulated = simulate(quantized, x)[0].numpy()
    quantization = np.abs(real - exact).mean()
    assert quantization < 0.05
    # Kernels that round otherwise cost less than the rounding to int8 itself.
    for other in (scores("litert"), scores("litert-ref"), simulated):
        assert np.abs(other - exact).mean() < quantization
