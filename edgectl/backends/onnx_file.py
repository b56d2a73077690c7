"""Writes the float network as ONNX: static batch of one, raw heads out, plain nodes only.

torch's TorchScript exporter, since its successor cannot write the opsets below 18 that these compilers
read (https://docs.pytorch.org/docs/stable/onnx.html); then onnxsim, which computes what is constant.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from edgectl.backends.network import INPUT
from edgectl.errors import DependencyError, EdgectlError
from edgectl.spec import OutputSpec, PreprocessSpec

if TYPE_CHECKING:
    import onnx


PREPROCESS_KEY, CLASSES_KEY = "edgectl.preprocess", "edgectl.classes"
"""Of a file's metadata."""


def write_onnx(
    model: nn.Module,
    preprocess: PreprocessSpec,
    outputs: Sequence[OutputSpec],
    path: Path,
    *,
    opset: int,
) -> None:
    """``images`` (1, C, H, W) float32 in, the raw heads by their names out.

    Raises:
        DependencyError: onnx or onnxsim is not installed.
        EdgectlError: the exporter does not know an operation of the network.
    """
    try:
        import onnx
        import onnxsim
    except ImportError as e:
        raise DependencyError(
            f"writing ONNX needs {e.name}, which is not installed",
            fix="pip install 'edgectl[onnx]'",
        ) from e
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        # that the exporter is the old one, and what it leaves to onnxsim
        warnings.simplefilter("ignore")
        raw = Path(place, "raw.onnx")
        try:
            torch.onnx.export(
                model.eval(),
                (torch.zeros(1, preprocess.channels, *preprocess.input_size),),
                raw,
                dynamo=False,
                opset_version=opset,
                input_names=[INPUT],
                output_names=[spec.name for spec in outputs],
            )
        except torch.onnx.errors.OnnxExporterError as e:
            raise EdgectlError(
                f"an operation of the network has no form in ONNX opset {opset}: "
                + str(e).splitlines()[0],
                fix="another variant, or a later opset where the backend takes one",
            ) from e
        simplified, same = onnxsim.simplify(onnx.load(raw))
    if not same:
        raise EdgectlError(
            "onnxsim changed what the network computes",
            fix="please report this with the run directory",
        )
    _name_nodes(simplified)
    onnx.checker.check_model(simplified)
    onnx.save(simplified, path)


def name_classes(path: Path, preprocess: PreprocessSpec, classes: Sequence[str]) -> None:
    """Notes classes and preparation in the file's metadata, so that the file alone says what it is."""
    import onnx

    model = onnx.load(path)
    said = {
        CLASSES_KEY: json.dumps(list(classes), ensure_ascii=False),
        PREPROCESS_KEY: json.dumps(preprocess.to_dict()),
    }
    onnx.helper.set_model_props(model, said)
    onnx.save(model, path)


def _name_nodes(model: onnx.ModelProto) -> None:
    """What onnxsim merged has no name left; compilers want one for every node."""
    taken = {n.name for n in model.graph.node}
    for number, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{number}"
            assert node.name not in taken


def describe_onnx(path: Path) -> dict[str, Any]:
    """Inputs, outputs, ops and opset, for the manifest."""
    import onnx

    model = onnx.load(path)
    ops: dict[str, int] = {}
    for node in model.graph.node:
        ops[node.op_type] = ops.get(node.op_type, 0) + 1

    def tensor(value: onnx.ValueInfoProto) -> dict[str, Any]:
        kind = value.type.tensor_type
        return {
            "name": value.name,
            "shape": [d.dim_value for d in kind.shape.dim],
            "dtype": onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
        }

    return {
        "inputs": [tensor(v) for v in model.graph.input],
        "outputs": [tensor(v) for v in model.graph.output],
        "ops": dict(sorted(ops.items())),
        "opset": model.opset_import[0].version,
        "ir_version": model.ir_version,
        "file_bytes": path.stat().st_size,
    }
