from __future__ import annotations

import torch
from torch import nn

from edgectl.quant.graph.module import GraphModule
from edgectl.quant.graph.trace import trace


def test_a_graph_as_a_module_computes_the_graph():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 4, 1), nn.ReLU6()
    ).eval()
    module = GraphModule(trace(net, (16, 16)))
    x = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(module(x)[0], net(x), atol=1e-5, rtol=1e-5)
    # two convolutions of a weight and a bias each
    assert len(list(module.parameters())) == 4
