"""Weights of color networks in networks that see one channel."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edgectl.nn.state import UNIT, Normalization, renormalize
from edgectl.nn.stem import color_stem, sum_channels

IMAGENET = Normalization((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def stem(in_chans: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(in_chans, 8, 3, bias=False), nn.BatchNorm2d(8)).eval()


def test_a_summed_stem_computes_of_gray_what_the_color_stem_did() -> None:
    color = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    gray = copy.deepcopy(color)
    sum_channels(gray)
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(gray(x), color(x.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize(
    ("seen", "mean", "std"),
    [
        (UNIT, 0.0, 255.0),
        # .299 * 123.675 + .587 * 116.28 + .114 * 103.53, and of the deviations
        (IMAGENET, 117.037605, 57.53028),
    ],
)
def test_weights_trained_on_color_give_the_same_features_of_a_gray_image(
    seen: Normalization, mean: float, std: float
) -> None:
    """As the color network, which sees the same image in all channels, normalized as it was trained."""
    trained, network = stem(3), stem(1)
    with color_stem(network[0], seen) as target:
        network.load_state_dict(trained.state_dict())
        renormalize(network[0], network[1], IMAGENET, target)
    assert network[0].in_channels == 1 and network[0].weight.shape == (8, 1, 3, 3)
    pixels = torch.randint(0, 256, (2, 1, 9, 9)).float()
    of = torch.tensor((IMAGENET.mean, IMAGENET.std))[:, None, :, None, None]
    wanted = trained((pixels.expand(-1, 3, -1, -1) - of[0]) / of[1])
    torch.testing.assert_close(network((pixels - mean) / std), wanted, rtol=1e-4, atol=1e-5)


def test_a_stem_nothing_was_read_into_is_left_as_it_was() -> None:
    network = stem(1)
    before = network[0].weight.detach().clone()
    with color_stem(network[0], UNIT):
        assert network[0].weight.shape == (8, 3, 3, 3)
    assert torch.equal(network[0].weight, before) and network[0].in_channels == 1


def test_a_color_stem_is_not_touched() -> None:
    network = stem(3)
    weight = network[0].weight
    with color_stem(network[0], IMAGENET) as target:
        assert target is IMAGENET and network[0].weight is weight
