"""One op with its tensors, as the kernels of the integer executor see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgectl.quant.integer.fixedpoint import activation_bounds
from edgectl.quant.integer.padding import Border, same_border
from edgectl.quant.integer.program import Operation, Program, TensorRecord

Step = Callable[[list[np.ndarray]], "np.ndarray | list[np.ndarray]"]
"""int8 arrays (N, ...) in; the int8 array written, or several of an op that has several outputs."""
Kernel = Callable[["Context"], Step]


class Context:
    """One op with its tensors. Raises ValueError where a kernel's assumptions do not hold."""

    def __init__(self, model: Program, op: Operation) -> None:
        self.op = op
        self._model = model

    def input(self, i: int) -> TensorRecord:
        """The i-th input tensor."""
        return self._model.tensors[self.op.inputs[i]]

    @property
    def output(self) -> TensorRecord:
        """The only output tensor."""
        return self._model.tensors[self.op.outputs[0]]

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """Of all output tensors."""
        return [self._model.tensors[i].shape for i in self.op.outputs]

    def qparams(self, tensor: TensorRecord) -> tuple[float, int]:
        """Per-tensor int8 parameters."""
        if tensor.dtype != "int8" or len(tensor.scales) != 1:
            raise ValueError(f"'{tensor.name}' is not int8 with one scale")
        return tensor.scales[0], tensor.zero_points[0]

    def constant(self, i: int) -> np.ndarray:
        """Contents of a constant input."""
        data = self.input(i).data
        if data is None:
            raise ValueError(f"'{self.input(i).name}' is not constant")
        return data

    def bounds(self) -> tuple[int, int]:
        """The fused clamp of the op."""
        clamp = self.op.options.get("fusedActivationFunction", "NONE")
        if clamp not in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1"):
            raise ValueError(f"fused activation {clamp}")
        return activation_bounds(clamp, *self.qparams(self.output))

    def border(self, axis: int, kernel: int, stride: int, dilation: int = 1) -> Border:
        """What the op's padding adds along a dimension of its first input."""
        if self.op.options["padding"] == "VALID":
            return 0, 0
        return same_border(self.input(0).shape[axis], kernel, stride, dilation)

    def require_same_scale(self, inputs: Sequence[int]) -> None:
        """For kernels that copy values."""
        for i in inputs:
            if self.qparams(self.input(i)) != self.qparams(self.output):
                raise ValueError("input and output scales differ")
