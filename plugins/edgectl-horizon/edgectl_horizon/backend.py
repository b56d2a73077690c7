"""The backend: hb_mapper's configuration and calibration data.

OpenExplorer's manual, chapter "PTQ, model conversion" (https://developer.d-robotics.cc), has the keys. The
network was trained on RGB or BGR, so that is its ``input_type_train``; hb_mapper puts the conversion from the
board's NV12 in front of it. Calibration data are of the training type, before normalization, which hb_mapper
does by ``norm_type``: it is told once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import Runner
from edgectl.backends.network import INPUT, ONNX_FILE, Network, Plan, module_of
from edgectl.errors import UnknownNameError, UsageError
from edgectl.escape.markdown import code, text
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_horizon.config import HorizonConfig

CONFIG = "hb_mapper.yaml"
PRODUCT = "model.bin"
_CALIBRATION = "calibration"
_FEW = 20
_OPSET = 11
_ON_CPU = ("Softmax", "Sigmoid", "HardSigmoid", "TopK", "Gather", "ReduceMean")
_REFUSED = {
    "GridSample": "Resize",
    "NonMaxSuppression": "raw heads; suppression is the host's",
    "ScatterND": "Concat",
    "Einsum": "MatMul",
    "Loop": "layers written out",
}


class HorizonBackend:
    """A :class:`edgectl.backends.contract.VendorBackend`."""

    config_type: ClassVar[type[HorizonConfig]] = HorizonConfig

    def opset(self, config: HorizonConfig, *, precision: str) -> int:
        """hb_mapper reads 10 and 11."""
        return _OPSET

    def check(self, network: Network, *, precision: str, config: HorizonConfig) -> list[str]:
        """Operations hb_mapper refuses; an odd size, which NV12 does not have."""
        gray = network.preprocess.channels == 1
        if gray != (config.input_type_rt == "gray"):
            raise UsageError(
                f"the network sees {network.preprocess.channel_order}; hb_mapper does not make that of "
                f"{config.input_type_rt}",
                where="backend.horizon.input_type_rt",
                fix="--set backend.horizon.input_type_rt=" + ("gray" if gray else "nv12"),
            )
        if config.input_type_rt == "nv12" and any(n % 2 for n in network.input_size):
            raise UsageError(
                "NV12 frames have even sizes",
                where="backend.horizon.input_type_rt",
                fix="--set backend.horizon.input_type_rt=rgb",
            )
        return [
            f"{module_of(n)}: hb_mapper has no {n.op_type}; use {_REFUSED[n.op_type]}"
            for n in network.model.graph.node
            if n.op_type in _REFUSED
        ]

    def plan(
        self, network: Network, directory: Path, *, precision: str, config: HorizonConfig
    ) -> Plan:
        """``hb_mapper.yaml`` and a file of calibration data an image."""
        count = _write_calibration(network, directory / _CALIBRATION)
        text = yaml.safe_dump(mapper_config(network, config), sort_keys=False)
        (directory / CONFIG).write_text(text, encoding="utf-8")
        remarks = []
        if count < _FEW:
            remarks.append(f"{count} calibration images; the vendor recommends about 50")
        slow = sorted({n.op_type for n in network.model.graph.node} & set(_ON_CPU))
        if slow and config.march == "bernoulli2":
            remarks.append(f"bernoulli2 may leave {', '.join(slow)} to the CPU: see its report")
        return Plan(
            ("makertbin", "--config", CONFIG, "--model-type", "onnx"),
            f"output/{PRODUCT}",
            tuple(remarks),
        )

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> Runner:
        """Core opens ``onnxruntime``; there is no other."""
        raise UnknownNameError("runtime", runtime, ["onnxruntime"], where="--runtime")

    def describe(self, model_file: Path) -> dict[str, Any]:
        """A closed format."""
        return {"inputs": [], "outputs": [], "file_bytes": model_file.stat().st_size}

    def usage(self, manifest: Manifest) -> str:
        """How to compile, and what the board then has."""
        planned = not manifest.built
        state = "Not compiled yet: r" if planned else "Compiled; r"
        outputs = "\n".join(f"{i}. {code(o.name)}" for i, o in enumerate(manifest.outputs))
        return f"""# {text(manifest.family)} {text(manifest.variant)} for a Horizon BPU

{state}un `./build.sh` in Horizon's OpenExplorer container; it leaves
{code(manifest.require_compiler().product)}.

Frames go in as the camera gives them (`input_type_rt` of `{CONFIG}`), resized:
{manifest.preprocess.resize}. The conversion to the training colors and the normalization are in the
file. Outputs, raw:

{outputs}
"""


def mapper_config(network: Network, config: HorizonConfig) -> dict[str, Any]:
    """The four tables of hb_mapper's YAML."""
    spec = network.preprocess
    height, width = spec.input_size

    def numbers(values: Sequence[float]) -> str:
        return " ".join(f"{v:.9g}" for v in values)

    return {
        "model_parameters": {
            "onnx_model": ONNX_FILE,
            "march": config.march,
            "working_dir": "output",
            "output_model_file_prefix": PRODUCT.removesuffix(".bin"),
            "layer_out_dump": False,
        },
        "input_parameters": {
            "input_name": INPUT,
            "input_type_rt": config.input_type_rt,
            "input_layout_rt": "" if config.input_type_rt == "nv12" else "NHWC",
            "input_type_train": spec.channel_order,
            "input_layout_train": "NCHW",
            "input_shape": f"1x{spec.channels}x{height}x{width}",
            "norm_type": "data_mean_and_scale",
            "mean_value": numbers(spec.mean),
            "scale_value": numbers([1 / s for s in spec.std]),
        },
        "calibration_parameters": {
            "cal_data_dir": _CALIBRATION,
            "cal_data_type": "float32",
            "calibration_type": config.calibration,
            **({"max_percentile": config.max_percentile} if config.calibration == "max" else {}),
        },
        "compiler_parameters": {
            "compile_mode": "latency",
            "debug": False,
            "optimize_level": config.optimize_level,
        },
    }


def _write_calibration(network: Network, place: Path) -> int:
    """float32 (C, H, W) files, 0..255, in the order of training. How many."""
    place.mkdir()
    count = 0
    for image in network.images():
        data = image.transpose(2, 0, 1).astype(np.float32)
        (place / f"{count:05}.bin").write_bytes(np.ascontiguousarray(data).tobytes())
        count += 1
    return count
