from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgectl.backends.cost import profile_network


class Two(nn.Module):
    """3x3 convolution, norm, activation, then a 1x1 with bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.norm(self.first(x))))


def test_by_hand() -> None:
    found = profile_network(Two(), (16, 16))
    first, last = found.layers
    assert [(c.name, c.op, c.shape) for c in found.layers] == [
        ("first", "conv2d", (1, 8, 8, 8)),
        ("last", "conv2d", (1, 4, 8, 8)),
    ]
    assert first.macs == 8 * 8 * 8 * 27
    assert last.macs == 4 * 8 * 8 * 8
    assert first.params == 8 * 27 + 16, "the norm counts with the convolution it is fused into"
    assert last.params == 4 * 8 + 4
    assert found.params == first.params + last.params
    # float32: the image, the weights; the output once
    assert first.bytes_read == 4 * (3 * 16 * 16 + 8 * 27)
    assert first.bytes_written == 4 * 8 * 8 * 8
    # input and first output together are the largest moment
    assert found.activation_peak_bytes == 4 * (3 * 16 * 16 + 8 * 8 * 8)
    assert found.macs == first.macs + last.macs
    assert first.intensity == first.macs / (first.bytes_read + first.bytes_written)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.conv(x))


def test_a_residual_keeps_its_input_alive() -> None:
    found = profile_network(Residual(), (8, 8), in_chans=4)
    assert [c.op for c in found.layers] == ["conv2d", "add"]
    assert found.activation_peak_bytes == 3 * 4 * 4 * 64


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, padding=1, groups=4, bias=False)
        self.norm = nn.GroupNorm(2, 8)
        self.top = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.top(self.norm(self.conv(x)).mean(dim=(2, 3)))


def test_networks_outside_the_quantizers_op_set_are_profiled_too() -> None:
    found = profile_network(Grouped(), (8, 8), in_chans=4)
    assert found.macs == 8 * 64 * 9 + 8 * 5
    assert found.params == 8 * 9 + 16 + 45


def test_shared_weights_count_once() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.conv(x))

    found = profile_network(Shared(), (4, 4))
    assert found.params == 9
    assert [c.params for c in found.layers] == [9, 9]


def test_the_peak_is_reported_in_the_document() -> None:
    document = profile_network(Two(), (16, 16)).to_dict()
    assert {"params", "macs", "activation_peak_bytes", "layers"} <= set(document)
    assert document["layers"][0]["shape"] == [1, 8, 8, 8]
    assert document["bytes_written"] == pytest.approx(4 * (8 * 64 + 4 * 64))
