from __future__ import annotations

import math

import pytest
import torch

from edgectl.quant.sqnr import sqnr_db


def test_a_tenth_of_the_amplitude_is_twenty_decibels() -> None:
    ref = torch.tensor([1.0, -2.0, 3.0])
    assert sqnr_db(ref, ref * 1.1) == pytest.approx(20.0, abs=1e-5)
    assert sqnr_db(ref, ref) == math.inf


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_never_good(value: float) -> None:
    ref = torch.ones(3)
    assert sqnr_db(ref, torch.tensor([1.0, value, 1.0])) == -math.inf
