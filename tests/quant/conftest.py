from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.ranges.scheme import QParams, QuantScheme

UNIT = QParams(float(torch.tensor(1 / 255)), -128)


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    torch.manual_seed(0)
    yield


@pytest.fixture
def scheme() -> QuantScheme:
    """Affine int8 with shared ranges and fixed outputs, as microcontroller kernels have it."""
    return QuantScheme(
        "test",
        input=UNIT,
        fixed_outputs={"sigmoid": QParams(1 / 256, -128), "unit": UNIT},
        shared_range_ops=frozenset(
            {"concat", "max_pool", "avg_pool", "upsample", "reshape", "pad"}
        ),
    )


def settle(model: nn.Module) -> nn.Module:
    """Batch norms with statistics of their own, so that folding them has something to do."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return model.eval()


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project, add."""

    def __init__(self, channels: int, act: type[nn.Module]) -> None:
        super().__init__()
        hidden = 2 * channels
        self.expand = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), act()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            act(),
        )
        self.project = nn.Sequential(
            nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(self.depthwise(self.expand(x)))


class FomoLike(nn.Module):
    """Stride-2 stem with a border of its own, one residual block, a cell head."""

    def __init__(self, act: type[nn.Module] = nn.ReLU6) -> None:
        super().__init__()
        self.border = nn.ZeroPad2d((0, 1, 0, 1))
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), act())
        self.block = Block(8, act)
        self.head = nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.head(self.block(self.stem(self.border(x)))),)


@pytest.fixture
def fomo_like() -> nn.Module:
    return settle(FomoLike())


@pytest.fixture
def fomo_graph(fomo_like: nn.Module) -> QuantGraph:
    return trace(fomo_like, (32, 32))


@pytest.fixture
def images() -> Callable[[], list[Tensor]]:
    """Smooth images on the pixel grid, two batches of eight."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand((16, 3, 8, 8), generator=generator)
    fine = nn.functional.interpolate(coarse, size=32, mode="bilinear")
    batches = list((torch.round(fine * 255) / 255).split(8))
    return lambda: batches
