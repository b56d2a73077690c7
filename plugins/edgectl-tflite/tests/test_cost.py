from __future__ import annotations

import math
from types import SimpleNamespace

from edgectl_tflite.reader.cost import cost
from edgectl_tflite.reader.liveness import file_moments


def test_costs_by_hand(nets: SimpleNamespace) -> None:
    net = nets.Net((8, 8))
    x = net.conv("input", 4, stride=(2, 2), padding=(0, 1, 0, 1))
    x = net.depthwise(x)
    graph = net.graph(net.conv(x, 5, (1, 1), padding=(0, 0, 0, 0)))
    model = nets.write(nets.quantize(graph, nets.images_for(graph, 2)))
    found = cost(model)
    macs = [(c.op, c.macs) for c in found.layers if c.macs]
    assert macs == [
        ("CONV_2D", 16 * 4 * 27),
        ("DEPTHWISE_CONV_2D", 16 * 4 * 9),
        ("CONV_2D", 16 * 5 * 4),
    ]
    assert found.params == (4 * 27 + 4) + (4 * 9 + 4) + (5 * 4 + 5)
    first = next(c for c in found.layers if c.op == "CONV_2D")
    # int8 activations and weights, int32 bias
    assert first.bytes_written == math.prod(first.shape)
    assert found.activation_peak_bytes == max(m.nbytes for m in file_moments(model))
