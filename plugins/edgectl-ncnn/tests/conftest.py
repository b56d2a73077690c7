"""Golden files that other programs wrote, small networks that hold every op, and their images."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn


def conv(i: int, o: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution and batch norm."""
    c = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(c, nn.BatchNorm2d(o))


class Residual(nn.Module):
    """ResNet's basic block."""

    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        self.a, self.b = conv(i, o, stride=stride), conv(o, o)
        self.down = conv(i, o, 1, stride) if stride > 1 or i != o else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.relu(self.b(torch.relu(self.a(x))) + self.down(x))
        return y


class SmallResNet(nn.Module):
    """Stem, pooling, four blocks, global average, classifier."""

    def __init__(self, classes: int = 4, width: int = 16) -> None:
        super().__init__()
        self.stem, self.pool = conv(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)
        widths = [(width, width, 1), (width, 2 * width, 2), (2 * width, 2 * width, 1)]
        self.blocks = nn.Sequential(*(Residual(*w) for w in widths))
        self.fc = nn.Linear(2 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.pool(torch.relu(self.stem(x))))
        y: Tensor = self.fc(x.mean((2, 3)))
        return y


class Inverted(nn.Module):
    """MobileNetV2's block, with padding on one side at stride 2."""

    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        wide = 4 * i
        self.expand = nn.Sequential(conv(i, wide, 1), nn.ReLU6())
        self.border = nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        depthwise = nn.Conv2d(wide, wide, 3, stride, groups=wide, bias=False)
        self.depthwise = nn.Sequential(depthwise, nn.BatchNorm2d(wide), nn.ReLU6())
        self.project = conv(wide, o, 1)
        self.residual = stride == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.border(self.expand(x))))
        return x + y if self.residual else y


class SmallFomo(nn.Module):
    """Depthwise blocks and one grid of logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 3, 2), nn.ReLU6())
        self.blocks = nn.Sequential(Inverted(8, 8, 1), Inverted(8, 16, 2), Inverted(16, 16, 1))
        self.head = nn.Conv2d(16, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.blocks(self.stem(x)))
        return y


class SmallDetector(nn.Module):
    """SiLU, channel attention with hard-sigmoid, concat, upsampling, pooling, two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.down, self.deep = conv(3, 8, 3, 2), conv(8, 16, 3, 2), conv(16, 16, 3, 2)
        self.gate = nn.Conv2d(16, 16, 1)
        self.merge = conv(40, 16, 1)
        self.split = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.cls, self.reg = nn.Conv2d(16, 2, 1), nn.Conv2d(16, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        act = nn.functional.silu
        a = act(self.stem(x))
        b = act(self.down(a))
        c = act(self.deep(b))
        c = c * nn.functional.hardsigmoid(self.gate(c.mean((2, 3), keepdim=True)))
        up = nn.functional.interpolate(c, scale_factor=2.0, mode="nearest")
        pooled = nn.functional.max_pool2d(a, 2)
        average = nn.functional.avg_pool2d(b, 3, 1, 1, count_include_pad=False)
        y = act(self.merge(torch.cat([up, b + average, pooled], 1)))
        y = nn.functional.hardswish(self.split(y))
        return torch.softmax(self.cls(y), 1), torch.sigmoid(self.reg(y))


def images(count: int, size: int) -> Tensor:
    """(count, 3, size, size) uint8 images of coarse squares: neighbors are alike, as in life."""
    coarse = torch.randint(0, 256, (count, 3, size // 8, size // 8), dtype=torch.uint8)
    return coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)


def settled(model: nn.Module, x: Tensor) -> nn.Module:
    """The model in eval mode, its batch norms with the statistics of ``x``."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    with torch.no_grad():
        model.train()(x)
    return model.eval()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def nets() -> SimpleNamespace:
    """The helpers of this file."""
    return SimpleNamespace(
        SmallResNet=SmallResNet,
        SmallFomo=SmallFomo,
        SmallDetector=SmallDetector,
        images=images,
        settled=settled,
    )


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Path]:
    """Path of a file other programs wrote; skips where the collection is absent."""
    default = Path(__file__).parents[4] / "shared" / "golden"
    directory = Path(os.environ.get("EDGECTL_GOLDEN", default))

    def find(name: str) -> Path:
        if not (directory / name).is_file():
            pytest.skip(f"no golden files in {directory}")
        return directory / name

    return find
