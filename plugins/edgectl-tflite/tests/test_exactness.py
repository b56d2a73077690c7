"""Every op in every form it is written in: integer executor == TensorFlow Lite Micro, each byte.

LiteRT's reference kernels judge what the micro interpreter has no kernel for.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgectl.testing.networks import CASES, NOT_ON_MICROCONTROLLERS

pytestmark = pytest.mark.usefixtures("tflm")


@pytest.mark.parametrize("shrink", [1.0, 0.4], ids=["full_range", "saturating"])
@pytest.mark.parametrize("name", CASES)
def test_every_byte(nets: SimpleNamespace, name: str, shrink: float) -> None:
    net = nets.Net()
    CASES[name](net)
    images = net.images()
    model = nets.write(nets.quantize(net.graph(), images, shrink))
    assert nets.differing_bytes(model, images, name not in NOT_ON_MICROCONTROLLERS) == 0
