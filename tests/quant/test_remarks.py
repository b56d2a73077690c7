"""Useless calibration images are said to be so; good ones are not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgectl.quant.remarks import compare_with_training, describe_images


def scenes(count: int, seed: int = 0) -> Tensor:
    """uint8 (N, 3, 32, 32): smooth, and redder than blue."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.rand((count, 3, 6, 6), generator=g)
    fine = nn.functional.interpolate(coarse, size=32, mode="bilinear")
    tint = torch.tensor([1.0, 0.7, 0.35]).reshape(1, 3, 1, 1)
    return (fine * tint * 255).to(torch.uint8)


def test_images_as_such() -> None:
    good = scenes(40)
    assert describe_images([good]) == []
    spoiled = good.clone()
    spoiled[3] = 114
    spoiled[7] = spoiled[8] = spoiled[9]
    said = " ".join(describe_images(list(spoiled.split(7))))
    assert "1 of 40 calibration images show nothing" in said
    assert "2 of 40 calibration images are copies" in said
    assert "8 calibration images" in describe_images([good[:8]])[0]


def trained() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16, momentum=None))
    with torch.no_grad():
        for seed in range(1, 9):
            model(scenes(32, seed) / 255.0)
    return model.eval()


def test_images_like_those_of_training_are_fine() -> None:
    assert compare_with_training(trained(), scenes(16) / 255.0) == []


def test_exchanged_channels_are_called_so() -> None:
    (said,) = compare_with_training(trained(), scenes(16).flip(1) / 255.0)
    assert "red and blue were exchanged" in said


def test_other_images_are_called_unlike() -> None:
    noise = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    for strange in (noise, scenes(16) / 255.0 * 0.1, torch.full((16, 3, 32, 32), 0.44)):
        (said,) = compare_with_training(trained(), strange)
        assert "unlike those of training" in said


def test_a_network_without_batch_norm_says_nothing() -> None:
    assert compare_with_training(nn.Conv2d(3, 4, 1), torch.rand(2, 3, 8, 8)) == []
