from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgectl.quant.graph.lower import fold_preprocess
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.spec import PreprocessSpec

MEAN = (103.53, 116.28, 123.675)
STD = (57.375, 57.12, 58.395)


def spec(mean: tuple[float, ...], std: tuple[float, ...]) -> PreprocessSpec:
    return PreprocessSpec((16, 16), mean=mean, std=std)


def normalized(pixels: Tensor, s: PreprocessSpec) -> Tensor:
    mean, std = (torch.tensor(v).reshape(1, -1, 1, 1) for v in (s.mean, s.std))
    return (pixels - mean) / std


def pixels() -> Tensor:
    return torch.randint(0, 256, (2, 3, 16, 16)).float()


def test_identity_when_the_network_takes_pixel_over_255(fomo_graph: QuantGraph) -> None:
    lowered = fold_preprocess(fomo_graph, spec((0.0,) * 3, (255.0,) * 3))
    assert [n.name for n in lowered] == [n.name for n in fomo_graph]
    assert torch.equal(lowered["stem_0"].weight, fomo_graph["stem_0"].weight)


def test_equal_means_are_exact_up_to_the_border() -> None:
    s = spec((127.5,) * 3, STD)
    graph = trace(nn.Conv2d(3, 4, 3, padding=1), (16, 16))
    lowered = fold_preprocess(graph, s)
    assert [n.op for n in lowered] == ["input", "pad", "conv"]
    assert lowered["conv_pad"].attrs["value"] == pytest.approx(0.5)
    x = pixels()
    torch.testing.assert_close(
        lowered.run(x / 255)[0], graph.run(normalized(x, s))[0], atol=1e-5, rtol=1e-5
    )


def test_unequal_means_are_exact_inside_and_bounded_at_the_border() -> None:
    s = spec(MEAN, STD)
    conv = nn.Conv2d(3, 4, 3, padding=1)
    graph = trace(conv, (16, 16))
    x = pixels()
    error = (fold_preprocess(graph, s).run(x / 255)[0] - graph.run(normalized(x, s))[0]).abs()
    assert error[:, :, 1:-1, 1:-1].max() < 1e-5
    # A corner misses 5 of its 9 taps; no output misses more.
    apart = (torch.tensor(MEAN) - sum(MEAN) / 3).abs() / torch.tensor(STD)
    per_tap = (conv.weight.detach().abs() * apart.reshape(1, 3, 1, 1)).sum(1)
    bound = per_tap.flatten(1).sort(descending=True).values[:, :5].sum(1)
    assert error.max() > 1e-3
    assert (error.amax(dim=(0, 2, 3)) <= bound + 1e-5).all()


def test_grouped_and_several_first_convolutions() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 6, 3, groups=3)
            self.b = nn.Conv2d(3, 6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) + self.b(x)

    s = spec(MEAN, STD)
    graph = trace(Two(), (16, 16))
    x = pixels()
    lowered = fold_preprocess(graph, s)
    assert len(lowered) == len(graph)
    torch.testing.assert_close(
        lowered.run(x / 255)[0], graph.run(normalized(x, s))[0], atol=1e-5, rtol=1e-5
    )


def test_a_reader_that_is_no_convolution_gets_one_before_it() -> None:
    s = spec(MEAN, STD)
    graph = trace(nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 2, 1)), (16, 16))
    lowered = fold_preprocess(graph, s)
    assert [n.op for n in lowered] == ["input", "conv", "max_pool", "conv"]
    x = pixels()
    torch.testing.assert_close(
        lowered.run(x / 255)[0], graph.run(normalized(x, s))[0], atol=1e-5, rtol=1e-5
    )
