"""The backend: ONNX, AIPP, AMCT's recipe and the command of atc; the device through ais_bench."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import Runner
from edgectl.backends.network import ONNX_FILE, Network, Plan, Step
from edgectl.data.images.preprocess import normalize
from edgectl.errors import ArtifactError, UnknownNameError, UsageError
from edgectl.plugins.info import BoardInfo
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_ascend import package
from edgectl_ascend.aipp import aipp_config
from edgectl_ascend.atc import AIPP_FILE, atc_arguments
from edgectl_ascend.capabilities import check_network
from edgectl_ascend.chips import require_chip
from edgectl_ascend.config import AscendConfig
from edgectl_ascend.deploy import write_board_files
from edgectl_ascend.plugin import AMCT
from edgectl_ascend.runtime import AclRunner

PRODUCT = "model.om"
DEPLOY_MODEL = "model_deploy_model.onnx"
"""What AMCT leaves for atc."""
_AMCT_OPSET, _ATC_OPSET = 11, 13
_JOB = Path(__file__).with_name("job")


class AscendBackend:
    """A :class:`edgectl.backends.contract.VendorBackend`."""

    config_type: ClassVar[type[AscendConfig]] = AscendConfig

    def opset(self, config: AscendConfig, *, precision: str) -> int:
        """As configured; else what AMCT reads, or the latest atc does."""
        return config.opset or (_AMCT_OPSET if precision == "int8" else _ATC_OPSET)

    def check(self, network: Network, *, precision: str, config: AscendConfig) -> list[str]:
        """Chip, precision, sizes, operations."""
        require_chip(config.soc)
        if precision == "int8" and config.opset not in (None, _AMCT_OPSET):
            raise UsageError(
                f"AMCT reads opset {_AMCT_OPSET}, this is {config.opset}",
                where="backend.ascend.opset",
                fix="leave it out",
            )
        if config.input_format.startswith("YUV") and network.preprocess.channels == 1:
            raise UsageError(
                "the network sees gray: it is fed one plane, not NV12 frames",
                where="backend.ascend.input_format",
                fix="leave it out; the Y plane of such a frame is the image",
            )
        if config.input_format.startswith("YUV") and any(n % 2 for n in network.input_size):
            raise UsageError(
                "NV12 frames have even sizes",
                where="backend.ascend.input_format",
                fix="--set backend.ascend.input_format=RGB888_U8",
            )
        return check_network(network)

    def plan(
        self, network: Network, directory: Path, *, precision: str, config: AscendConfig
    ) -> Plan:
        """``aipp.cfg``; with int8 the calibration array and AMCT's script."""
        text = aipp_config(network.preprocess, config.input_format)
        (directory / AIPP_FILE).write_text(text, encoding="ascii")
        if precision != "int8":
            return Plan(atc_arguments(config, ONNX_FILE, PRODUCT, network.preprocess), PRODUCT)
        images = np.stack(list(network.images()))
        x = normalize(torch.from_numpy(images).permute(0, 3, 1, 2), network.preprocess)
        np.save(directory / "calibration.npy", x.numpy())
        shutil.copyfile(_JOB / "quantize.py", directory / "quantize.py")
        return Plan(
            atc_arguments(config, DEPLOY_MODEL, PRODUCT, network.preprocess),
            PRODUCT,
            before=(Step(AMCT, ("quantize.py",)),),
        )

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> Runner:
        """The NPU of this machine. Raises BackendUnavailableError without one."""
        if runtime != "acl":
            raise UnknownNameError("runtime", runtime, ["acl", "onnxruntime"], where="--runtime")
        self.describe(model_file)
        bgr = preprocess is not None and preprocess.channel_order == "bgr"
        return AclRunner(model_file, specs, bgr=bgr)

    def describe(self, model_file: Path) -> dict[str, Any]:
        """What there is to know of a closed format. Raises ArtifactError for an empty or absent file."""
        if not model_file.is_file() or not model_file.stat().st_size:
            raise ArtifactError(
                "not an OM file",
                where=str(model_file),
                fix="export again: edgectl export --backend ascend",
            )
        return {"inputs": [], "outputs": [], "file_bytes": model_file.stat().st_size}

    def deploy(
        self,
        artifact: Path,
        manifest: Manifest,
        board: BoardInfo,
        directory: Path,
        *,
        converted: Path | None,
    ) -> None:
        """Add what a board needs beside the model (:mod:`edgectl_ascend.deploy`)."""
        write_board_files(artifact, manifest, board, directory, converted=converted)

    def usage(self, manifest: Manifest) -> str:
        """Explain how to run the artifact on the device (:mod:`edgectl_ascend.package`)."""
        return package.usage(manifest)
