"""The Hailo backend. See :class:`edgectl.backends.contract.VendorBackend`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import Runner
from edgectl.backends.network import Network, Plan
from edgectl.plugins.info import BoardInfo
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl_hailo.capabilities import check_network
from edgectl_hailo.config import HailoConfig, require_architecture
from edgectl_hailo.deploy import write_board_files
from edgectl_hailo.hef import describe_hef
from edgectl_hailo.package import usage
from edgectl_hailo.plan import write_plan
from edgectl_hailo.runtime import open_runner

_OPSET = 13


class HailoBackend:
    """Stateless."""

    config_type: ClassVar[type[HailoConfig]] = HailoConfig

    def opset(self, config: HailoConfig, *, precision: str) -> int:
        """The newest one every release of the parser reads."""
        return _OPSET

    def check(self, network: Network, *, precision: str, config: HailoConfig) -> list[str]:
        """List every operation the device cannot run (:mod:`edgectl_hailo.capabilities`).

        Raises UnknownNameError for an unknown chip.
        """
        require_architecture(config)
        return check_network(network)

    def plan(
        self, network: Network, directory: Path, *, precision: str, config: HailoConfig
    ) -> Plan:
        """Write what the compiler needs (:mod:`edgectl_hailo.plan`)."""
        return write_plan(network, directory, config)

    def open(
        self,
        model_file: Path,
        *,
        runtime: str,
        specs: Sequence[OutputSpec],
        preprocess: PreprocessSpec | None,
    ) -> Runner:
        """Open the model file on a runtime (:mod:`edgectl_hailo.runtime`)."""
        return open_runner(model_file, runtime, specs)

    def describe(self, model_file: Path) -> dict[str, Any]:
        """Read the facts of the file (:func:`edgectl_hailo.hef.describe_hef`)."""
        return describe_hef(model_file)

    def deploy(
        self,
        artifact: Path,
        manifest: Manifest,
        board: BoardInfo,
        directory: Path,
        *,
        converted: Path | None,
    ) -> None:
        """Add what a board needs beside the model (:mod:`edgectl_hailo.deploy`)."""
        write_board_files(artifact, manifest, board, directory, converted=converted)

    def usage(self, manifest: Manifest) -> str:
        """Explain how to run the artifact on the device (:mod:`edgectl_hailo.package`)."""
        return usage(manifest)
