"""What is in a written file: numbers, ops, layout."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from edgectl_tflite.reader.modelfile import ModelFile
from edgectl_tflite.runtimes.runtime import LiteRtRunner
from edgectl_tflite.writer.write import write_model

from edgectl.errors import ArtifactError
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.integer.capabilities import CAPABILITIES, check_graph
from edgectl.quant.integer.kernels import KERNELS
from edgectl.testing.networks import CASES


def _ops(model: ModelFile) -> Counter[str]:
    return Counter(op.name for op in model.operations)


def _everything(nets: SimpleNamespace) -> QuantGraph:
    """Every graph op, border, clamp and layout change in one network of two heads."""
    net = nets.Net((10, 13))
    x = net.conv("input", 8, stride=(2, 2), padding=(0, 1, 1, 1), activation="relu6")
    gate = net.conv(net.op("mean", x), 8, (1, 1), padding=(0, 0, 0, 0), activation="unit")
    y = net.op("mul", x, gate)
    y = net.op("add", y, net.depthwise(x, dilation=(2, 2), padding=(2, 2, 2, 2)))
    kernel = {"kernel": (3, 3), "stride": (1, 1)}
    y = net.op("concat", y, net.op("max_pool", y, padding=(0, 2, 1, 1), **kernel))
    y = net.op("avg_pool", y, padding=(1, 1, 1, 1), **kernel)
    y = net.op("pad", net.op("upsample", y, factor=2), padding=(1, 0, 0, 2), value=0.25)
    grid = net.op("softmax", net.conv(y, 3))
    flat = net.op("reshape", net.conv(y, 2, stride=(4, 4)), shape=(1, 2 * 3 * 4))
    return net.graph(grid, net.op("sigmoid", net.linear(flat, 5, activation="relu")))


def test_float_file_equals_torch(nets: SimpleNamespace) -> None:
    graph = _everything(nets)
    images = nets.images_for(graph, 3)
    with torch.no_grad():
        expected = graph.run(nets.lowered(images))
    for want, got in zip(expected, LiteRtRunner(nets.write(graph))(images), strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-5)


def test_every_case_in_float_equals_torch(nets: SimpleNamespace) -> None:
    reached = set()
    for name, case in CASES.items():
        net = nets.Net()
        case(net)
        graph = net.graph()
        reached |= {n.op for n in graph}
        images = net.images(1)
        with torch.no_grad():
            (want,) = graph.run(nets.lowered(images))
        (got,) = LiteRtRunner(nets.write(graph))(images)
        np.testing.assert_allclose(got, want.numpy(), atol=2e-5, rtol=1e-4, err_msg=name)
    assert reached | {"requantize"} == set(CAPABILITIES)


def test_int8_file_equals_the_interpreter(nets: SimpleNamespace, tflm: None) -> None:
    graph = _everything(nets)
    images = nets.images_for(graph, 3)
    assert nets.differing_bytes(nets.write(nets.quantize(graph, images)), images) == 0


def test_same_graph_same_bytes(nets: SimpleNamespace) -> None:
    def written() -> bytes:
        graph = _everything(nets)
        return write_model(nets.quantize(graph, nets.images_for(graph, 2)), "ab", "edgectl")

    assert written() == written()


def test_every_written_op_has_an_exact_kernel() -> None:
    assert {op for c in CAPABILITIES.values() for op in c.writes} <= set(KERNELS)


def test_constants_are_aligned_and_inside(nets: SimpleNamespace) -> None:
    graph = _everything(nets)
    model = nets.write(nets.quantize(graph, nets.images_for(graph, 2)))
    assert not model.external_buffers
    constants = [t for t in model.tensors if t.data is not None and t.data.nbytes > 40]
    assert constants
    for tensor in constants:
        assert model.data.find(tensor.data.tobytes()) % 16 == 0, tensor.name


def test_names_and_types_of_the_signature(nets: SimpleNamespace) -> None:
    graph = _everything(nets)
    model = nets.write(nets.quantize(graph, nets.images_for(graph, 2)))
    (source,) = (model.tensors[i] for i in model.inputs)
    assert (source.dtype, source.shape) == ("int8", (1, 10, 13, 3))
    assert source.scales == (float(np.float32(1 / 255)),) and source.zero_points == (-128,)
    assert [model.label(i) for i in model.outputs] == ["out0", "out1"]
    assert all(model.tensors[i].scales == (1 / 256,) for i in model.outputs)


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [
        ((8, 12), 2, (0, 1, 0, 1)),
        ((9, 11), 2, (1, 1, 1, 1)),
        ((8, 9), 1, (1, 1, 1, 1)),
        ((8, 9), 2, (0, 1, 1, 1)),
        # the last row of an odd height is never reached: its border need not exist
        ((9, 9), 2, (0, 0, 0, 0)),
        ((8, 8), 3, (0, 2, 0, 2)),
    ],
)
def test_borders_that_cost_nothing(
    nets: SimpleNamespace, size: tuple[int, int], stride: int, padding: tuple[int, ...]
) -> None:
    net = nets.Net(size)
    net.conv("input", 4, stride=(stride, stride), padding=padding)
    assert _ops(nets.write(net.graph())) == {"CONV_2D": 1}


def test_the_same_border_is_written_once(nets: SimpleNamespace) -> None:
    net = nets.Net((8, 8))
    heads = [net.conv("input", 4, stride=(2, 2)) for _ in range(2)]
    assert _ops(nets.write(net.graph(*heads))) == {"PAD": 1, "CONV_2D": 2}


def test_max_pool_pads_with_zero_point_after_relu(nets: SimpleNamespace) -> None:
    """PADV2 leaves the accelerator, PAD does not; after a ReLU the zero point is the minimum."""
    for activation, op in (("relu", "PAD"), (None, "PADV2")):
        net = nets.Net((8, 8))
        x = net.conv("input", 4, activation=activation)
        net.op("max_pool", x, kernel=(3, 3), stride=(2, 2), padding=(1, 1, 1, 1))
        graph = net.graph()
        model = nets.write(nets.quantize(graph, nets.images_for(graph, 2)))
        assert _ops(model) == {"CONV_2D": 1, "MAX_POOL_2D": 1, op: 1}


def test_flattening_pooled_features_moves_nothing(nets: SimpleNamespace) -> None:
    net = nets.Net()
    net.linear(net.op("reshape", net.op("mean", "input"), shape=(1, 3)), 4)
    assert "TRANSPOSE" not in _ops(nets.write(net.graph()))


def test_refusals_name_place_and_remedy(nets: SimpleNamespace) -> None:
    net = nets.Net()
    x = net.conv("input", 4)
    x = net.op("avg_pool", x, kernel=(2, 2), stride=(2, 2), padding=(1, 1, 1, 1))
    net.nodes[-1].origin = "backbone.stage1"
    net.op("mean", x, activation="relu")
    problems = check_graph(net.graph())
    assert len(problems) == 2
    assert problems[0].startswith("backbone.stage1: average pooling")
    assert "mean cannot clamp to relu" in problems[1]
    with pytest.raises(ArtifactError, match="average pooling"):
        write_model(net.graph(), ["out"], "test")
