"""Random graphs over the whole op set: integer executor == the real interpreters, each byte."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgectl.errors import ArtifactError
from edgectl.quant.integer.limits import require_portable
from edgectl.testing.random_graphs import random_graph

pytestmark = pytest.mark.usefixtures("tflm")
_SHARE_LITERT = 8
"""One graph in so many has an op TensorFlow Lite Micro lacks; LiteRT's reference kernels judge it."""


def check_graphs(nets: SimpleNamespace, seeds: range) -> int:
    """How many were compared; the others have scales no kernel survives."""
    compared = 0
    for seed in seeds:
        micro = seed % _SHARE_LITERT != 0
        quantized, images = random_graph(seed, micro=micro)
        model = nets.write(quantized)
        try:
            require_portable(model)
        except ArtifactError:
            continue
        assert nets.differing_bytes(model, images, micro) == 0, f"seed {seed}"
        compared += 1
    return compared


def test_a_few_graphs(nets: SimpleNamespace) -> None:
    assert check_graphs(nets, range(48)) >= 40


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_many_graphs(nets: SimpleNamespace, part: int) -> None:
    first = 1000 + 300 * part
    assert check_graphs(nets, range(first, first + 300)) >= 260
