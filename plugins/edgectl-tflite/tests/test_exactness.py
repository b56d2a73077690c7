"""Every op in every form it is written in: integer executor == TensorFlow Lite Micro, each byte."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("tflm")

Build = Callable[[Any], str]


def _pool(op: str, net: Any, padding: tuple[int, ...], kernel: int = 3, stride: int = 2) -> str:
    x = net.conv("input", 5)
    return net.op(op, x, kernel=(kernel, kernel), stride=(stride, stride), padding=padding)


def _se_block(net: Any) -> str:
    """Squeeze and excite: MEAN, a gate in [0, 1] and a product broadcast over positions."""
    x = net.conv("input", 8, activation="relu6")
    gate = net.conv(net.op("mean", x), 8, (1, 1), padding=(0, 0, 0, 0), activation="unit")
    return net.op("mul", x, gate)


def _classifier(net: Any) -> str:
    x = net.op("mean", net.conv("input", 8, activation="relu"))
    return net.op("softmax", net.linear(net.op("reshape", x, shape=(1, 8)), 7))


def _pyramid(net: Any) -> str:
    x = net.conv("input", 4, stride=(2, 2), activation="relu")
    y = net.op("upsample", net.conv(x, 4, (1, 1), (3, 3), (0, 0, 0, 0)), factor=3)
    h, w = net.values[x].shape[2:]
    z = net.conv(y, 4, (2, 2), padding=(0, 0, 0, 0))
    y = net.op(
        "pad",
        z,
        padding=(0, h - net.values[z].shape[2], 0, w - net.values[z].shape[3]),
        value=0.0,
    )
    return net.op("concat", x, y)


CASES: dict[str, Build] = {
    "conv": lambda n: n.conv("input", 6),
    "conv_1x1_relu6": lambda n: n.conv(
        "input", 6, (1, 1), padding=(0, 0, 0, 0), activation="relu6"
    ),
    "conv_stride": lambda n: n.conv("input", 6, stride=(2, 3), activation="relu"),
    "conv_pad_bottom_right": lambda n: n.conv("input", 6, stride=(2, 2), padding=(0, 1, 0, 1)),
    "conv_pad_explicit": lambda n: n.conv("input", 6, padding=(2, 0, 1, 3)),
    "conv_valid": lambda n: n.conv("input", 6, (2, 4), padding=(0, 0, 0, 0)),
    "conv_5x5_dilated": lambda n: n.conv("input", 4, (3, 2), padding=(2, 2, 1, 2), dilation=(2, 3)),
    "conv_many_terms": lambda n: n.conv(n.conv("input", 64), 5, activation="unit"),
    "depthwise": lambda n: n.depthwise(n.conv("input", 8), activation="relu6"),
    "depthwise_stride": lambda n: n.depthwise(n.conv("input", 8), stride=(2, 2)),
    "depthwise_multiplier": lambda n: n.depthwise("input", 3, padding=(0, 0, 0, 0)),
    "depthwise_dilated": lambda n: n.depthwise("input", dilation=(2, 2), padding=(2, 2, 2, 2)),
    "depthwise_5x5": lambda n: n.depthwise("input", kernel=(5, 5), padding=(2, 2, 2, 2)),
    "add": lambda n: n.op("add", n.conv("input", 4), n.conv("input", 4), activation="relu"),
    "add_itself": lambda n: n.op("add", "input", "input"),
    "add_broadcast": lambda n: n.op("add", n.op("mean", "input"), n.conv("input", 3)),
    "mul": lambda n: n.op("mul", n.conv("input", 4), n.conv("input", 4), activation="relu6"),
    "silu": lambda n: n.op("mul", x := n.conv("input", 4), n.op("sigmoid", x)),
    "squeeze_excite": _se_block,
    "concat_upsample_pad": _pyramid,
    "sigmoid": lambda n: n.op("sigmoid", n.conv("input", 4)),
    "softmax_channels": lambda n: n.op("softmax", n.conv("input", 4)),
    "classifier": _classifier,
    "linear_relu": lambda n: n.linear(
        n.op("reshape", n.conv("input", 4), shape=(1, 4 * 99)), 5, activation="relu"
    ),
    "max_pool": lambda n: _pool("max_pool", n, (0, 0, 0, 0), 2),
    "max_pool_same": lambda n: _pool("max_pool", n, (1, 1, 1, 1)),
    "max_pool_explicit": lambda n: _pool("max_pool", n, (0, 1, 1, 0), 3, 1),
    "avg_pool": lambda n: _pool("avg_pool", n, (0, 0, 0, 0), 3, 3),
    "avg_pool_same": lambda n: _pool("avg_pool", n, (1, 1, 1, 1), 3, 1),
    "pad_value": lambda n: n.op("pad", "input", padding=(1, 2, 0, 1), value=0.447),
    "reshape_grid": lambda n: n.op(
        "reshape", n.op("reshape", n.conv("input", 4), shape=(1, 396)), shape=(1, 9, 4, 11)
    ),
}


@pytest.mark.parametrize("shrink", [1.0, 0.4], ids=["full_range", "saturating"])
@pytest.mark.parametrize("name", CASES)
def test_every_byte(nets: SimpleNamespace, name: str, shrink: float) -> None:
    net = nets.Net()
    CASES[name](net)
    images = net.images()
    model = nets.write(nets.quantize(net.graph(), images, shrink))
    assert nets.differing_bytes(model, images) == 0
