"""What check accepts, calibrate accepts: tensors of different dictated ranges are joined by requantizing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgectl.config.schema import QuantConfig
from edgectl.quant.calibrate import calibrate
from edgectl.quant.fake_quant import FakeQuantNet
from edgectl.quant.graph.trace import trace
from edgectl.quant.integer.capabilities import check_graph
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.lower import lower_graph
from edgectl.quant.integer.scheme import SCHEME
from edgectl.quant.ranges.ranges import range_groups
from edgectl.quant.rewrite.separate_ranges import separate_ranges
from edgectl.quant.simulate import simulate


class YoloxHead(nn.Module):
    """Boxes as they are, the rest squashed, in one tensor; and the image itself beside a clamp."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU())
        self.boxes, self.scores, self.other = (nn.Conv2d(8, n, 1) for n in (4, 2, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.stem(x)
        joined = torch.cat([5.0 * self.boxes(y), self.scores(y).sigmoid()], 1)
        return joined, torch.cat([x[:, :, ::2, ::2], torch.tanh(self.other(y))], 1)


def test_a_head_of_boxes_and_probabilities_is_quantized() -> None:
    torch.manual_seed(0)
    model = YoloxHead().eval()
    graph = trace(model, (16, 16))
    assert check_graph(graph) == []
    images = torch.rand(24, 3, 16, 16)
    quantized = calibrate(graph, SCHEME, lambda: iter([images]), QuantConfig(seconds=0))
    joints = [n for n in quantized.graph if n.op == "requantize"]
    assert len(joints) >= 2
    # a step of the joint range, which the boxes decide
    with torch.no_grad():
        expected = model(images[:4])
    for want, got in zip(expected, simulate(quantized, images[:4]), strict=True):
        assert float((want - got).abs().max()) < 0.06 * float(want.abs().max())
    # training goes through it, the integer executor too
    net = FakeQuantNet(quantized)
    for a, b in zip(net(images[:2]), simulate(quantized, images[:2]), strict=True):
        torch.testing.assert_close(a, b)
    program = lower_graph(quantized, ["a", "b"])
    assert "QUANTIZE" in {op.name for op in program.operations}
    bytes_in = (images[:2].permute(0, 2, 3, 1) * 255 - 128).round().to(torch.int8).numpy()
    assert len(IntegerExecutor(program).run(bytes_in)) == 2


def test_what_needs_nothing_is_left_alone() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)), (16, 16))
    assert separate_ranges(graph, SCHEME) is graph


def test_groups_have_one_dictated_range_afterwards() -> None:
    graph = separate_ranges(trace(YoloxHead().eval(), (16, 16)), SCHEME)
    groups = range_groups(graph, SCHEME)
    assert sum(len(g.members) for g in groups) == len(graph)
