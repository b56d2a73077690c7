"""A QuantGraph as an ``nn.Module`` again, for exporters that want one."""

from __future__ import annotations

from torch import Tensor, nn

from edgectl.quant.graph.quant_graph import Node, QuantGraph, execute


class _Op(nn.Module):
    """One node. Its weights are parameters, so that exporters find and name them."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        self.weight = None if node.weight is None else nn.Parameter(node.weight.detach().clone())
        self.bias = None if node.bias is None else nn.Parameter(node.bias.detach().clone())

    def forward(self, *inputs: Tensor) -> Tensor:
        return execute(self.node, inputs, self.weight, self.bias)


class GraphModule(nn.Module):
    """(N, C, H, W) to the graph's outputs. Submodules are named after the nodes."""

    def __init__(self, graph: QuantGraph) -> None:
        super().__init__()
        self.graph = graph
        self.ops = nn.ModuleDict(
            {n.name.replace(".", "_"): _Op(n) for n in graph if n.op != "input"}
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """As :meth:`QuantGraph.run`."""

        def step(node: Node, inputs: list[Tensor]) -> Tensor:
            if node.op == "input":
                return x
            y: Tensor = self.ops[node.name.replace(".", "_")](*inputs)
            return y

        return tuple(self.graph.evaluate(step))
