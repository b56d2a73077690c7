"""Channel splitting: less memory, the same bytes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from edgectl_tflite.reader.liveness import file_moments, live_bytes, moments
from edgectl_tflite.runtimes.runtime import IntegerRunner
from edgectl_tflite.runtimes.tflm import MicroInterpreter
from edgectl_tflite.writer.split import find_pairs, plan_parts, split_expansions


def test_liveness_of_a_residual() -> None:
    """a -> b -> c, d = a + c, of 1, 10, 100 and 1000 bytes."""
    ops = [((0,), (1,)), ((1,), (2,)), ((0, 2), (3,))]
    sizes = {0: 1, 1: 10, 2: 100, 3: 1000}
    assert [m.nbytes for m in moments([0], [3], ops, sizes)] == [11, 111, 1101]


@pytest.mark.parametrize("size", [96, 192])
def test_fomo_takes_half_the_arena(nets: SimpleNamespace, tflm: None, size: int) -> None:
    graph = nets.fomo(size)
    images = nets.images_for(graph, 2)
    quantized = nets.quantize(graph, images)
    whole, parts = nets.write(quantized), nets.write(split_expansions(quantized))
    assert nets.differing_bytes(parts, images) == 0
    (a,), (b,) = (IntegerRunner(m).raw(images) for m in (whole, parts))
    assert len(np.unique(a)) > 50 and (a == b).all()

    # What limits the rest is the stem: two tensors of 16 channels at half the input size.
    before, after = (MicroInterpreter(m).arena().activations for m in (whole, parts))
    assert before == (48 * 4 + 48) * (size // 4) ** 2
    assert after == 2 * 16 * (size // 2) ** 2


def test_estimate_equals_the_file(nets: SimpleNamespace) -> None:
    """With explicit borders, whose copies count."""
    net = nets.Net((16, 16))
    x = net.conv("input", 24, stride=(2, 2), activation="relu")
    x = net.depthwise(x, padding=(2, 0, 2, 0))
    graph = net.graph(net.conv(x, 4, (1, 1), padding=(0, 0, 0, 0)))
    model = nets.write(nets.quantize(graph, nets.images_for(graph, 1)))
    assert max(live_bytes(graph).values()) == max(m.nbytes for m in file_moments(model))


def test_fewest_parts_that_reach_the_least(nets: SimpleNamespace) -> None:
    net = nets.Net((16, 16))
    x = net.conv("input", 40)
    wide = net.conv(net.depthwise(x, stride=(2, 2), padding=(0, 1, 0, 1)), 4)
    (pair,) = find_pairs(graph := net.graph(wide))
    # Input 768; part of c channels 256 c, its output 64 c, outputs before it 64 each channel.
    # 5 parts: 768 + 2048 + 2560 (last convolution done, its filter running: 2048 + 2560) -> 5376
    # concatenation: 2 * 2560 = 5120; projection: 2560 + 256.
    assert plan_parts(graph) == {pair: 5}
    quantized = split_expansions(nets.quantize(graph, nets.images_for(graph, 2)))
    assert [n.shape[1] for n in quantized.graph if n.depthwise] == [8] * 5
    assert set(quantized.activations) == {n.name for n in quantized.graph}
    assert set(quantized.weight_scales) == {n.name for n in quantized.graph if n.weight is not None}


def test_uneven_channels(nets: SimpleNamespace, tflm: None) -> None:
    net = nets.Net((12, 12))
    x = net.conv("input", 28, activation="relu6")
    graph = net.graph(net.conv(net.depthwise(x, stride=(3, 3), padding=(0, 0, 0, 0)), 4))
    images = nets.images_for(graph, 3)
    quantized = split_expansions(nets.quantize(graph, images))
    assert [n.shape[1] for n in quantized.graph if n.depthwise] == [16, 12]
    assert nets.differing_bytes(nets.write(quantized), images) == 0


def test_leaves_alone_what_gains_nothing(nets: SimpleNamespace) -> None:
    net = nets.Net((8, 8))
    net.conv(net.depthwise(net.conv("input", 8)), 4)
    graph = net.graph()
    quantized = nets.quantize(graph, nets.images_for(graph, 1))
    assert split_expansions(quantized) is quantized
